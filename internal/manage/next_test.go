package manage

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// diff without files shows networks that will run in another way, and how.
func TestDriftShowsWhatTheNextStartBrings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {a: {mode: isolated}, lab: {mode: nat, subnets: [{address: 10.2.0.1/24}, {address: 10.3.0.1/24, dhcp: {}}]}}")
	drift, err := r.Drift(t.Context())
	r.ok(err)
	if len(drift.Next) > 0 {
		t.Errorf("told %+v", drift.Next)
	}
	r.define("networks: {lab: {mode: nat, title: t, subnets: [{address: 10.2.0.1/24}, {address: 10.3.0.9/24, dhcp: {}}]}}")
	drift, err = r.Drift(t.Context())
	r.ok(err)
	want := `  networks:
    lab:
+     title: t
      subnets:
-       - address: 10.3.0.1/24
+       - address: 10.3.0.9/24`
	if len(drift.Next) != 1 || drift.Next[0].Object != "network/lab" || strings.Join(drift.Next[0].Lines, "\n") != want {
		t.Errorf("told %+v, want\n%s", drift.Next, want)
	}
	r.ok(r.Stop(t.Context(), "lab"))
	if drift, _ = r.Drift(t.Context()); len(drift.Next) > 0 {
		t.Errorf("of a network that does not run it told %+v", drift.Next)
	}
}

// Whatever two texts are, the lines without the + are the one, those without the - the
// other.
func TestAlignedLinesAreBothTexts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "  c", "+ d", "- e", ""}), 0, 12)
		old, now := lines.Draw(t, "old"), lines.Draw(t, "now")
		var one, other []string
		same := 0
		for _, line := range align(old, now) {
			mark, text := line[:2], line[2:]
			if mark != "+ " {
				one = append(one, text)
			}
			if mark != "- " {
				other = append(other, text)
			}
			if mark == "  " {
				same++
			}
		}
		if !slices.Equal(one, old) || !slices.Equal(other, now) {
			t.Fatalf("got %q and %q", one, other)
		}
		if slices.Equal(old, now) && same != len(old) {
			t.Fatalf("equal texts differ in %q", align(old, now))
		}
	})
}

// Two texts that have nothing in common are not compared line by line for ever.
func TestLargeTextsAreShownWhole(t *testing.T) {
	t.Parallel()
	old, now := slices.Repeat([]string{"a"}, 3000), slices.Repeat([]string{"b"}, 3000)
	if got := align(old, now); len(got) != 6000 || got[0] != "- a" || got[5999] != "+ b" {
		t.Errorf("got %d lines", len(got))
	}
}
