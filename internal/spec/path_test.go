package spec

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestPathsReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	p := Field(Index(Field(Field(Field("", "networks"), "lab"), "subnets"), 1), "address")
	if p != "networks.lab.subnets[1].address" {
		t.Errorf("got %s", p)
	}
	if p := Field(Field("networks", "a.b"), "mode"); p != `networks["a.b"].mode` || Parent(Parent(p)) != "networks" {
		t.Errorf("got %s, below %s", p, Parent(Parent(p)))
	}
	kind, name := Problem{Path: `networks["a.b"].mode`}.Object()
	if kind != "networks" || name != "a.b" {
		t.Errorf("object %s %s", kind, name)
	}
	if kind, name := (Problem{}).Object(); kind != "" || name != "" {
		t.Errorf("object %q %q of no path", kind, name)
	}
}

func TestAnyPathSplitsIntoItsSegments(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var want []string
		path := ""
		for i := range rapid.IntRange(1, 6).Draw(t, "segments") {
			parent := path
			key := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", ".", `"]`, `["`, "[0]", "a.b", `\"`, "`"})).Draw(t, "key")
			if i > 0 && rapid.Bool().Draw(t, "list") {
				path, key = Index(path, i), "["+string(rune('0'+i))+"]"
			} else {
				path = Field(path, key)
			}
			want = append(want, key)
			if got := Parent(path); got != parent {
				t.Fatalf("Parent(%s) = %s, want %s", path, got, parent)
			}
		}
		if got := Split(path); !slices.Equal(got, want) {
			t.Fatalf("Split(%s) = %q, want %q", path, got, want)
		}
	})
}

func TestProblemsAreOrderedByPosition(t *testing.T) {
	t.Parallel()
	c := &checker{}
	for _, p := range []string{"networks.b", "networks.a.subnets[10]", "networks.a.subnets[9]", "networks.a", "bridges.z", "networks.a.subnets[9]"} {
		c.add(p, "", "m")
	}
	var got []string
	for _, p := range c.sorted() {
		got = append(got, p.Path)
	}
	want := []string{"bridges.z", "networks.a", "networks.a.subnets[9]", "networks.a.subnets[10]", "networks.b"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestNearestWord(t *testing.T) {
	t.Parallel()
	words := []string{"leaseTime", "ranges", "hosts", "enabled"}
	cases := map[string]string{"leasetime": "leaseTime", "range": "ranges", "rnages": "ranges", "host": "hosts", "enable": "enabled", "x": "", "mode": "", "": ""}
	for word, want := range cases {
		if got := Nearest(word, words); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
