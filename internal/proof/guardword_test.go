package proof

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// guardOf is a network with a guard, and a port for each word that guards against it
// alone, one that is not guarded, and one that says nothing.
func guardOf(network string) string {
	text := "networks: {lab: {mode: isolated, bridge: {name: lab0}, guard: " + network + ", subnets: [{address: 10.9.0.1/24}, {address: \"fd00:9::1/64\"}]}}\nports:\n"
	for i, port := range wordPorts {
		guard := ", guard: " + port
		if port == "none" {
			guard = ""
		}
		text += fmt.Sprintf("  %[1]s: {network: lab, type: veth, peer: %[1]s-p%[2]s, addresses: [10.9.0.%[3]d, \"fd00:9::%[3]d\"]}\n", port, guard, 11+i)
	}
	return text + "  victim: {network: lab, type: veth, peer: victim-p, addresses: [10.9.0.6, \"fd00:9::6\"]}\n"
}

var wordPorts = append(slices.Clone(spec.GuardWords), "off", "none")

// typical is an attack for every word.
func typical() map[string]attack {
	list := map[string]attack{
		spec.GuardMAC: macAttacks[0], spec.GuardAddress: addressAttacks[0], spec.GuardServer: serverAttacks[6], spec.GuardTag: tagAttacks[0],
		spec.GuardStorm: {"a broadcast storm", spec.GuardStorm, "victim", allStorms[0].frames},
	}
	return list
}

// on is a scene around a port of guardOf.
func (w *world) on(t *testing.T, port string, victim party) *scene {
	t.Helper()
	last := 11 + slices.Index(wordPorts, port)
	s := &scene{world: w, t: t, network: "lab", bridge: "lab0", port: port, victim: victim, heard: map[string]*testhost.Capture{}}
	s.evil = s.fixed(w.port(port, fmt.Sprintf("10.9.0.%d/24", last), fmt.Sprintf("fd00:9::%d/64", last)), last)
	s.gateway = s.party(w.Lab.Machine, "lab0", addr("10.9.0.1"), addr("fd00:9::1"))
	s.listen("victim", s.victim)
	s.listen("gateway", s.gateway)
	return s
}

func (s *scene) fixed(h *testhost.Host, last int) party {
	return s.party(h, "eth0", addr(fmt.Sprintf("10.9.0.%d", last)), addr(fmt.Sprintf("fd00:9::%d", last)))
}

// TestEveryWordOfAGuardRefusesItsOwn and nothing else, and what a port says counts more
// than what its network says.
func TestEveryWordOfAGuardRefusesItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, guardOf("strict"))
	victim := (&scene{world: w, t: t}).fixed(w.port("victim", "10.9.0.6/24", "fd00:9::6/64"), 6)
	for _, port := range wordPorts {
		s := w.on(t, port, victim)
		for word, a := range typical() {
			guarded := port == word || port == "none"
			switch {
			case guarded && word == spec.GuardStorm:
				s.isLimited(allStorms[0])
			case guarded:
				s.isRefused(a)
			default:
				before := s.refused(t, port)
				s.arrives(a)
				if delta := growth(before, s.refused(t, port)); len(delta) > 0 {
					t.Errorf("guard %s: %s: refused %v", port, a.name, delta)
				}
			}
		}
	}
}

// TestGuardsAreSwitchedInPlace: guests in good faith notice nothing of it, and what
// arrives follows the guard at once.
func TestGuardsAreSwitchedInPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, guardOf("off"))
	victim := (&scene{world: w, t: t}).fixed(w.port("victim", "10.9.0.6/24", "fd00:9::6/64"), 6)
	s := w.on(t, "none", victim)
	before := w.dump()
	nstest.Serve(t, w.Lab.Machine)
	flows := []*flows{steady(t, s.evil.Host, victim.four), steady(t, s.evil.Host, addr("fd00:9::1"))}
	for _, guard := range []string{"strict", "off", "mac", "\"mac, address\"", "server", "strict", "\"tag, server\"", "off"} {
		w.put(guardOf(guard))
		if again := w.Apply(guardOf(guard)); len(again.Ops) > 0 {
			t.Errorf("guard %s: the second apply did %q", guard, again.Ops)
		}
		words := (&spec.Network{Guard: spec.Guard(guard)}).GuardOf(nil)
		for _, word := range []string{spec.GuardMAC, spec.GuardAddress, spec.GuardServer, spec.GuardTag} {
			if a := typical()[word]; guard == "strict" || slices.Contains(unquoted(words).Words(), word) {
				s.isRefused(a)
			} else {
				s.arrives(a)
			}
		}
	}
	for _, f := range flows {
		f.whole()
	}
	nstest.Same(t, before, tallies.ReplaceAllString(w.dump(), ""))
}

// tallies are what was counted for a port, which it keeps.
var tallies = regexp.MustCompile(`(?m)^\s*elements = \{ "none" counter[^}]*\}\n`)

// unquoted is a guard without the quotes that YAML needs around a comma.
func unquoted(g spec.Guard) spec.Guard {
	return spec.Guard(slices.DeleteFunc([]byte(g), func(b byte) bool { return b == '"' }))
}

// TestGuardsComeBack when somebody empties the ruleset.
func TestGuardsComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, guardOf("strict"))
	victim := (&scene{world: w, t: t}).fixed(w.port("victim", "10.9.0.6/24", "fd00:9::6/64"), 6)
	s := w.on(t, "none", victim)
	s.isRefused(addressAttacks[0])
	nstest.Serve(t, w.Lab.Machine)
	pings, err := s.evil.PingStream(t.Context(), netip.MustParseAddr("10.9.0.1"), 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	nstest.Run(t, w.NS, "nft", "flush", "ruleset")
	begin := time.Now()
	nstest.Eventually(t, patience, func() error {
		list := s.send(addressAttacks[0])
		if s.refused(t, s.port)[spec.GuardAddress] == 0 || s.got("gateway", list) {
			return fmt.Errorf("nobody guards")
		}
		return nil
	})
	t.Logf("guarded again after %s", time.Since(begin))
	for _, a := range []attack{macAttacks[0], addressAttacks[7], claimAttacks[0], serverAttacks[0], tagAttacks[0]} {
		s.isRefused(a)
	}
	if r := pings.Stop(); r.Lost > 0 {
		t.Errorf("the pings: %+v", r)
	}
	w.Settled()
}

// TestGuardedNeighboursAreKeptApart where the network says so: what is refused is not
// the guard's to count.
func TestGuardedNeighboursAreKeptApart(t *testing.T) {
	t.Parallel()
	text := func(isolated bool) string {
		return fmt.Sprintf("networks: {lab: {mode: nat, bridge: {name: lab0}, guard: strict, isolated: %v, subnets: [{address: 10.9.0.1/24}, {address: \"fd00:9::1/64\"}]}}\nports:\n"+
			"  none: {network: lab, type: veth, peer: none-p, addresses: [10.9.0.17, \"fd00:9::17\"]}\n  victim: {network: lab, type: veth, peer: victim-p, addresses: [10.9.0.6, \"fd00:9::6\"]}\n", isolated)
	}
	w := newWorld(t, text(true))
	victim := (&scene{world: w, t: t}).fixed(w.port("victim", "10.9.0.6/24", "fd00:9::6/64"), 6)
	s := w.on(t, "none", victim)
	neighbour := attack{"to an isolated neighbour", "", "victim", func(s *scene) [][]byte {
		return frames(s.udp(s.evil.four, s.victim), s.udp(s.evil.six, s.victim), toAll(s.udp(s.evil.four, s.victim)), s.arp(1, s.evil.mac, s.evil.four, s.victim))
	}}
	s.speak()
	list := s.send(neighbour)
	nstest.Eventually(t, patience, func() error {
		if !s.got("gateway", list) { // the broadcast
			return fmt.Errorf("it is not through")
		}
		return nil
	})
	if s.got("victim", list) {
		t.Error("an isolated neighbour got it")
	}
	if n := s.refused(t, s.port); len(growth(nil, n)) > 0 {
		t.Errorf("the guard refused %v", n)
	}
	w.put(text(false))
	s.arrives(neighbour)
}
