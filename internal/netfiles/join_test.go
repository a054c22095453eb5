package netfiles

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/spec"
)

// TestPortsJoinABridgeAndLeaveItByteForByte holds each scene's diff, and what the files
// say of the bridge then, against its own, writes it, and takes it back.
func TestPortsJoinABridgeAndLeaveItByteForByte(t *testing.T) {
	t.Parallel()
	for _, s := range scenes(t, "testdata/join/*.txtar") {
		t.Run(strings.TrimSuffix(filepath.Base(s.path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			root := s.root(t)
			tree, m := s.tree(t, root), Manager(s.say["manager"])
			changes, err := Join(tree, m, s.conversion())
			if err != nil {
				s.golden(t, "error", err.Error()+"\n")
				return
			}
			s.golden(t, "diff", Diff(changes))
			before := disk(t, root)
			writeTwice(t, root, changes)
			s.joined(t, tree, s.tree(t, root), m)
			writeTwice(t, root, Undo(changes))
			if d := cmp.Diff(before, disk(t, root)); d != "" {
				t.Errorf("after the undoing (-before +after):\n%s", d)
			}
		})
	}
}

// joined compares what the files say before and after: the bridge has the NIC beside its
// ports, its MAC, and the addresses of both; the NIC has none.
func (s scene) joined(t *testing.T, before, after Tree, m Manager) {
	t.Helper()
	nic, mine := s.defined(t, before, m, s.say["nic"]), s.defined(t, before, m, "br0")
	if nic == nil {
		live := s.conversion().Live
		nic = &live
	}
	now := s.defined(t, after, m, "br0")
	if mine == nil || now == nil {
		t.Fatalf("br0 is not defined: before %v, after %v", mine, now)
	}
	want := append(portNames(*mine), s.say["nic"])
	slices.Sort(want)
	if names := portNames(*now); now.Type != spec.BridgeInterface || !cmp.Equal(slices.Sorted(slices.Values(names)), slices.Compact(want)) || now.MAC != s.mac() && m != Netplan {
		t.Errorf("br0 is a %s of %s with ports %v, want %v", now.Type, now.MAC, names, want)
	}
	for family, of := range map[string]func(*spec.HostInterface) *spec.InterfaceIP{"ipv4": func(i *spec.HostInterface) *spec.InterfaceIP { return i.IPv4 }, "ipv6": func(i *spec.HostInterface) *spec.InterfaceIP { return i.IPv6 }} {
		for _, part := range []*spec.HostInterface{nic, mine} {
			has(t, family, ip(of(part)), ip(of(now)))
		}
	}
	if own := s.defined(t, after, m, s.say["nic"]); own != nil && (own.IPv4 != nil || own.IPv6 != nil) {
		t.Errorf("%s still has addresses: %+v", s.say["nic"], own)
	}
}

// has holds that one family of an interface has all of another, and nothing twice.
func has(t *testing.T, family string, part, all spec.InterfaceIP) {
	t.Helper()
	if part.DHCP && !all.DHCP || part.Autoconf && !all.Autoconf {
		t.Errorf("%s: dhcp %v, autoconf %v; want %v, %v", family, all.DHCP, all.Autoconf, part.DHCP, part.Autoconf)
	}
	within(t, family+" addresses", part.Addresses, all.Addresses)
	within(t, family+" routes", part.Routes, all.Routes)
	within(t, family+" resolvers", part.DNS, all.DNS)
	within(t, family+" domains", part.Search, all.Search)
}

func within[T comparable](t *testing.T, what string, part, all []T) {
	t.Helper()
	seen := map[T]bool{}
	for _, v := range all {
		if seen[v] {
			t.Errorf("%s: %v is there twice", what, v)
		}
		seen[v] = true
	}
	for _, v := range part {
		if !seen[v] {
			t.Errorf("%s: %v is missing in %v", what, v, all)
		}
	}
}

func (s scene) defined(t *testing.T, tree Tree, m Manager, name string) *spec.HostInterface {
	t.Helper()
	i, err := Defined(tree, m, name)
	if err != nil {
		t.Fatal(err)
	}
	if i != nil {
		i.Default()
	}
	return i
}
