package hostlink_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"kvmnet/internal/hostlink"
)

// origin is what ip(8) cannot be told in older versions.
var origin = regexp.MustCompile(`(?m)^(ip addr .*) proto \d+$`)

// wordiest are the configurations that take all words of ip(8) there are.
var wordiest = []string{
	"secondary, labels and a peer", "a gateway elsewhere", "tables and rules", "multipath", "nexthop objects", "IPv6",
	"router advertisements", "neighbours, groups and settings",
}

// TestOpsAreWhatIPWouldBeTold: a shell that runs the printed ops comes to the same.
func TestOpsAreWhatIPWouldBeTold(t *testing.T) {
	t.Parallel()
	for name, lines := range configurations {
		if name == "privacy" || !*everyOp && !slices.Contains(wordiest, name) { // privacy has another address each time
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, _ := machine(t, lines...)
			theirs, _ := machine(t, lines...)
			ops, _, err := hostlink.Convert(look(t, ours.NS(), "eth0", "br0"), hostlink.Options{Bridge: "br0"})
			if err != nil {
				t.Fatal(err)
			}
			apply(t, ours.NS(), ops)
			configure(t, theirs.NS(), origin.ReplaceAllString(script(ops), "$1"))
			same(t, "done by us, and by ip", dump(t, ours.NS()), dump(t, theirs.NS()))
		})
	}
}

func script(ops []hostlink.Op) (s string) {
	for _, op := range ops {
		s += op.String()
		if strings.Contains(op.String(), " del ") || strings.HasPrefix(op.String(), "ip -6 route append") {
			s += " || true" // what is gone already, or there: adding it again is about its end
		}
		s += "\n"
	}
	return s
}
