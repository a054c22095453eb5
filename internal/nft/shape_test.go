package nft

import (
	"regexp"
	"strings"
	"testing"

	"kvmnet/internal/plan"
)

func TestKeysComeBackAsTheyWere(t *testing.T) {
	for _, c := range []struct {
		key  keyType
		id   string
		size int
	}{
		{ifname, "lab0", 16},
		{ifname, "123456789012345", 16},
		{ifpair, "lab0 . eth0.100", 32},
		{ipv4, "10.0.0.1", 4},
		{ipv6, "fd00::1", 16},
		{ipv6, "::ffff:10.0.0.1", 16},
	} {
		b, err := c.key.encode(c.id)
		if err != nil || len(b) != c.size {
			t.Errorf("%s: %d bytes, %v; want %d", c.id, len(b), err, c.size)
			continue
		}
		if back, err := c.key.decode(b); err != nil || back != c.id {
			t.Errorf("%s came back as %q, %v", c.id, back, err)
		}
		if _, err := c.key.decode(b[1:]); err == nil {
			t.Errorf("%s: a short key was read", c.id)
		}
	}
}

func TestScriptQuotesNamesAndGroupsByMap(t *testing.T) {
	text := script([]plan.Element{
		{Map: "from", ID: "b", Value: "jump from_nat"},
		{Map: "egress", ID: "0a . eth0.1"},
		{Map: "from", ID: "a", Value: "jump from_open"},
		{Map: "gateways6", ID: "fd00::1"},
	})
	head, rows, _ := strings.Cut(text, program)
	if want := "table inet kvmnet\ndelete table inet kvmnet\n"; head != want {
		t.Errorf("begins with %q, want %q", head, want)
	}
	want := `add element inet kvmnet egress { "0a" . "eth0.1" }
add element inet kvmnet from { "a" : jump from_open,
"b" : jump from_nat }
add element inet kvmnet gateways6 { fd00::1 }
`
	if rows != want {
		t.Errorf("ends with\n%s\nwant\n%s", rows, want)
	}
}

// Every rule that refuses is counted, and every chain a map leads to from forward
// ends in a verdict, as forward relies on it.
func TestProgramCountsRefusalsAndEndsItsChains(t *testing.T) {
	chains := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?s)\tchain (\S+) \{\n(.*?)\n\t\}\n`).FindAllStringSubmatch(program, -1) {
		for _, l := range strings.Split(m[2], "\n") {
			if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") {
				chains[m[1]] = append(chains[m[1]], l)
			}
		}
	}
	if len(chains) < 15 {
		t.Fatalf("found only %d chains", len(chains))
	}
	end := regexp.MustCompile(`^(accept|drop|goto \S+|counter name \S+ (drop|reject with icmpx admin-prohibited))$`)
	for name, rules := range chains {
		last := rules[len(rules)-1]
		if (strings.HasPrefix(name, "from_") || strings.HasPrefix(name, "to_") || name == "leave") && !end.MatchString(last) {
			t.Errorf("chain %s ends with %q, not with a verdict", name, last)
		}
		for _, r := range rules {
			if strings.Contains(r, " drop") || strings.Contains(r, "reject") {
				if !strings.Contains(r, "counter name ") {
					t.Errorf("chain %s: %q refuses without a counter", name, r)
				}
			}
		}
	}
}

func FuzzAttributes(f *testing.F) {
	f.Add([]byte{8, 0, 1, 0, 'a', 'b', 'c', 0})
	f.Add([]byte{5, 0, 1, 128, 'a'})
	f.Add([]byte{255, 255, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		for _, value := range attributes(b).all() {
			total += len(value) + 4
		}
		if total > len(b) {
			t.Errorf("%d bytes of attributes in %d", total, len(b))
		}
	})
}
