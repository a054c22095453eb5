package specfile

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/spec"
)

// Texts that a test file cannot hold as they are.
func TestUnreadableTextIsRefused(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ text, want string }{
		"UTF-16":            {"\xff\xfen\x00e\x00", "f.yaml:1:1: the file is not UTF-8 text"},
		"Latin-1":           {"networks:\n  lab: {title: Gr\xfc\xdfe}", "f.yaml:2:18: the file is not UTF-8 text"},
		"control character": {"networks: # \x1b[2J\n", "f.yaml:1:13: the character U+001B is not allowed"},
		"zero byte":         {"networks:\n\x00", "f.yaml:2:1: the character U+0000 is not allowed"},
		"second BOM":        {"\ufeff\ufeffnetworks: {}", "f.yaml:1:1: the character U+FEFF is not allowed"},
		"huge":              {strings.Repeat("# comment\n", maxSize/10+1), "f.yaml: the file has 4194310 bytes, at most 4194304 are read"},
		"nothing":           {"", "f.yaml: the file defines nothing"},
		"only documents":    {"---\n---\n", "f.yaml: the file defines nothing"},
		"deep lists":        {strings.Repeat("[", 20000), "f.yaml:1:10001: YAML syntax: while increasing flow level: exceeded max depth of 10000"},
		"deep merges":       {"networks: {a: " + strings.Repeat("{<<: ", 30) + strings.Repeat("}", 30) + "}", "f.yaml:1:100: networks.a: merge keys lead through more than 16 mappings"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problems := Parse("f.yaml", []byte(c.text))
			if len(problems) != 1 {
				t.Fatalf("%d problems: %.500v", len(problems), problems)
			}
			if first, _, _ := strings.Cut(problems[0].String(), "\n"); first != c.want {
				t.Errorf("got  %s\nwant %s", first, c.want)
			}
			if strings.ContainsAny(problems[0].String(), "\x00\x1b") {
				t.Errorf("control characters come through: %q", problems[0].String())
			}
		})
	}
}

// Nine lines that unfold into ten million values, by aliases and by merges.
func TestAliasBombsAreRefusedEarly(t *testing.T) {
	t.Parallel()
	many := func(item string, n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+", ", n), ", ") + "]"
	}
	bombs := map[string]string{
		"lists of lists": "bridges:\n  a: {ports: &a " + many("eth0", 1000) + "}\n  b: &b {ports: *a}\n" + repeat("  c%d: *b\n", 10000),
		"merges":         "bridges:\n  a: &a {ports: " + many("eth0", 1000) + "}\n" + repeat("  c%d: {<<: *a}\n", 10000),
		"merge lists":    "bridges:\n  a: &a {" + strings.TrimSuffix(repeat("k%d: 1, ", 1000), ", ") + "}\n  b: {<<: " + many("*a", 100000) + "}\n",
		"merge doubling": "networks:\n  m0: &m0 {mode: isolated}\n" + doubling(15),
	}
	for name, text := range bombs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			_, problems := Parse("bomb.yaml", []byte(text))
			found := 0
			for _, p := range problems {
				if strings.Contains(p.Message, "the aliases of the file unfold into more than 100000 values") {
					found++
				}
			}
			if found != 1 {
				t.Errorf("the bomb was reported %d times: %.500v", found, problems)
			}
			// Unfolded it would take minutes; this bound only has to tell the two apart.
			if d := time.Since(begin); d > 20*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

func repeat(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func doubling(n int) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		m := fmt.Sprintf("*m%d", i-1)
		fmt.Fprintf(&b, "  m%d: &m%d {<<: [%s, %s, %s, %s]}\n", i, i, m, m, m, m)
	}
	return b.String()
}

func TestProblemsOfOtherFilesAreLeftOut(t *testing.T) {
	t.Parallel()
	defined := &spec.Spec{
		Networks: map[string]*spec.Network{
			"old":    {Mode: "broken"},
			"lab":    {Mode: "replaced"},
			"taken":  {Mode: spec.Isolated, Bridge: spec.BridgeSettings{Name: "br7"}},
			"shared": {Mode: spec.Isolated},
		},
	}
	f, _ := Parse("new.yaml", []byte("networks:\n  lab: {mode: isolated, bridge: {name: br7}}\nports:\n  vm1: {network: shared}\n"))
	want := "new.yaml:2:40: networks.lab.bridge.name: the interface name \"br7\" is also used by network \"taken\"\n" +
		"   2 |   lab: {mode: isolated, bridge: {name: br7}}\n     |                                        ^\n"
	if got := report(f.Validate(defined)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if f.Spec.Networks["old"] != nil || defined.Networks["lab"].Mode != "replaced" {
		t.Error("Validate changed a Spec")
	}
}

func TestProblemsLocateAtTheNearestPlace(t *testing.T) {
	t.Parallel()
	f, _ := Parse("f.yaml", []byte("networks:\n  a.b:\n    mode: nat\n    subnets:\n    - address: 10.0.0.1/24\n"))
	cases := map[string]place{
		`networks["a.b"].mode`:                       {3, 11},
		`networks["a.b"].subnets`:                    {4, 5},
		`networks["a.b"].subnets[0].address`:         {5, 16},
		`networks["a.b"].subnets[0].dhcp.hosts.x.ip`: {5, 7},
		`networks["a.b"].subnets[9].address`:         {4, 5},
		`networks["a.b"].dns.domain`:                 {2, 3},
		`ports.x`:                                    {},
		`networks.other.mode`:                        {},
		``:                                           {},
	}
	for path, want := range cases {
		if p := f.Locate(spec.Problem{Path: path, Message: "m"}); (place{p.Line, p.Column}) != want || p.Path != path {
			t.Errorf("%s: at %d:%d, want %v", path, p.Line, p.Column, want)
		}
	}
}

func TestProblemsAreJSON(t *testing.T) {
	t.Parallel()
	f, _ := Parse("f.yaml", []byte("networks: {lab: {mode: nut, subnets: [{address: 10.0.0.1/24}]}}"))
	got, err := json.Marshal(f.Validate(nil))
	want := `[{"file":"f.yaml","line":1,"column":24,"path":"networks.lab.mode","message":"\"nut\" is not a mode","hint":"did you mean nat?",` +
		`"excerpt":"networks: {lab: {mode: nut, subnets: [{address: 10.0.0.1/24}]}}\n                       ^"}]`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

func TestCaretStandsUnderTheColumn(t *testing.T) {
	t.Parallel()
	cases := []struct {
		line   string
		column int
		want   string
	}{
		{"abc", 2, "abc\n ^"},
		{"abc", 9, "abc\n   ^"},
		{"abc", 0, "abc\n^"},
		{"\ta b", 4, "\ta b\n\t  ^"},
		{"é b", 3, "é b\n  ^"},
		{"a\u202eb", 3, "a·b\n  ^"},
	}
	for _, c := range cases {
		if got := excerpt([]rune(c.line), c.column); got != c.want {
			t.Errorf("excerpt(%q, %d) = %q, want %q", c.line, c.column, got, c.want)
		}
	}
}

// Every type reachable from Spec must be one the reader and the writer know, and
// every field must have a key, or a new field would silently be lost.
func TestEveryFieldOfSpecHasAKey(t *testing.T) {
	t.Parallel()
	walk(reflect.TypeFor[spec.Spec](), nil, func(pattern []string, s reflect.Type) {
		for _, f := range reflect.VisibleFields(s) {
			yamlKey, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			jsonKey, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if yamlKey == "" || yamlKey != jsonKey {
				t.Errorf("%s.%s has the keys %q in YAML and %q in JSON", s, f.Name, yamlKey, jsonKey)
			}
		}
		if len(pattern) > 10 {
			t.Errorf("%v is deep", pattern)
		}
	})
}

// A line that is a whole file shows as it does when all of it is looked at.
func TestLongLinesShowWhatIsAround(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"", "short", strings.Repeat("0123456789é", 100), strings.Repeat("é", 1000) + "end"} {
		for _, column := range []int{0, 1, 5, 99, 100, 101, 199, 200, 201, 350, 999, 1000, 1003, 1200} {
			if got, want := (Problem{Column: column}).Showing(line).Excerpt, excerpt([]rune(line), column); got != want {
				t.Errorf("column %d of %d characters: %q, want %q", column, len([]rune(line)), got, want)
			}
		}
	}
}
