package proof

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/testhost"
)

// TestAttacksOnTheSegment lets a guest try what it must not be able to, on networks of
// all kinds: without guards it arrives, with strict ones it is refused and counted, and
// what the same guest does in good faith goes on meanwhile.
func TestAttacksOnTheSegment(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, k.text("strict"))
			lax, s := w.scene(t, k, laxNet), w.scene(t, k, guardedNet)
			w.Settled()
			w.bridged(t, "0") // else br_netfilter puts fragments together
			for _, a := range attacks {
				switch {
				case claimed[a.name] && !k.lan:
					lax.isClaimed(a)
				case a.heard != "":
					lax.arrives(a)
				}
			}
			w.bridged(t, "1")
			flows := s.goodFaith()
			for _, a := range attacks {
				if !k.lan || !unknown[a.name] {
					s.isRefused(a)
				}
			}
			s.storms(lax)
			for _, f := range flows {
				f.whole()
			}
			s.unhurt()
			s.newcomer(k)
			w.Settled()
		})
	}
}

// bridged says whether the machine shows bridged frames to the hooks of IP.
func (w *world) bridged(t *testing.T, on string) {
	t.Helper()
	for _, hook := range []string{"iptables", "ip6tables", "arptables"} {
		if err := w.Lab.Machine.Sysctl("net/bridge/bridge-nf-call-"+hook, on); err != nil {
			t.Fatal(err)
		}
	}
}

// arrives shows that an attack is one: who is to be hurt gets it.
func (s *scene) arrives(a attack) {
	s.t.Helper()
	s.speak()
	list := s.send(a)
	nstest.Eventually(s.t, patience, func() error {
		if !s.got(a.heard, list) {
			return fmt.Errorf("%s: without guards the %s does not get it either", a.name, a.heard)
		}
		return nil
	})
}

// isClaimed wants what guards need not refuse to arrive nowhere.
func (s *scene) isClaimed(a attack) {
	s.t.Helper()
	before := s.counter("", "claimed")
	list := s.send(a)
	s.counts(s.t, "", "claimed", before+len(list))
	if s.got(a.heard, list) {
		s.t.Errorf("%s: the %s got it, and nobody may speak for a gateway of ours", a.name, a.heard)
	}
}

// speak lets all but evil send, so that the bridge knows where they are: what was
// tried before may have put them elsewhere.
func (s *scene) speak() {
	s.t.Helper()
	for _, p := range []party{s.victim, s.gateway} {
		beacon := testhost.Packet{Proto: testhost.UDP, Src: p.four, Dst: every, SrcPort: 9, DstPort: 9}
		if err := p.Spoof(s.t.Context(), p.nic, beacon); err != nil {
			s.t.Fatal(err)
		}
	}
}

// send has evil try, and returns what was sent.
func (s *scene) send(a attack) [][]byte {
	s.t.Helper()
	for _, c := range s.heard {
		c.Forget()
	}
	list := a.frames(s)
	if err := s.evil.SendFrame(s.t.Context(), "eth0", list...); err != nil {
		s.t.Fatalf("%s: %v", a.name, err)
	}
	return list
}

// got reports whether somebody got one of the frames.
func (s *scene) got(who string, list [][]byte) bool {
	return s.arrived(who, list) > 0
}

// arrived is how many of the frames somebody got. The kernel takes the outermost tag
// away before a listener sees the frame.
func (s *scene) arrived(who string, list [][]byte) int {
	bare := map[string]bool{}
	for _, f := range list {
		if kind := binary.BigEndian.Uint16(f[12:]); kind == testhost.EtherVLAN || kind == testhost.EtherQinQ {
			f = append(f[:12:12], f[16:]...)
		}
		bare[string(f)] = true
	}
	return len(s.heard[who].Select(func(p testhost.Packet) bool { return bare[string(p.Raw)] }))
}

// isRefused wants every frame counted, once, for the reason, and none heard.
func (s *scene) isRefused(a attack) {
	s.t.Helper()
	before := s.refused(s.t, s.port)
	list := s.send(a)
	want := uint64(len(list))
	if a.heard == "" {
		want = 0
	}
	var delta map[string]uint64
	nstest.Eventually(s.t, patience, func() error {
		if delta = growth(before, s.refused(s.t, s.port)); delta[a.word] < want {
			return fmt.Errorf("%s: of %d frames were refused %v, want %s", a.name, want, delta, a.word)
		}
		return nil
	})
	if delta[a.word] != want || len(delta) > 1 {
		s.t.Errorf("%s: of %d frames were refused %v, want %s", a.name, want, delta, a.word)
	}
	for who := range s.heard {
		if s.got(who, list) {
			s.t.Errorf("%s: the %s got it", a.name, who)
		}
	}
}

// growth is what counters have grown by.
func growth(before, after map[string]uint64) map[string]uint64 {
	delta := map[string]uint64{}
	for reason, n := range after {
		if n > before[reason] {
			delta[reason] = n - before[reason]
		}
	}
	return delta
}

// goodFaith is what goes on while evil tries.
func (s *scene) goodFaith() []*flows {
	return []*flows{steady(s.t, s.evil.Host, s.gateway.four), steady(s.t, s.evil.Host, s.victim.six), steady(s.t, s.victim.Host, s.gateway.six)}
}

// unhurt wants everything to be as it was, for evil too.
func (s *scene) unhurt() {
	s.t.Helper()
	for name, n := range s.refused(s.t, strings.Replace(s.port, "evil", "victim", 1)) {
		if n > 0 {
			s.t.Errorf("the victim was refused %d packets for %s", n, name)
		}
	}
	s.nobodyBelieves()
	s.bridgeKnows()
	for _, p := range []party{s.evil, s.victim} {
		nstest.Run(s.t, p.NS(), "ip", "neigh", "flush", "dev", "eth0")
	}
	var list []question
	for _, to := range []party{s.gateway, s.victim} {
		list = append(list, everyProto(s.evil.Host, to.four.String(), "yes")...)
		list = append(list, everyProto(s.evil.Host, to.six.String(), "yes")...)
	}
	list = append(list, everyProto(s.victim.Host, s.evil.four.String(), "yes")...)
	ask(s.t, append(list, everyProto(s.victim.Host, s.evil.six.String(), "yes")...))
	for _, p := range []party{s.evil, s.victim} {
		s.renews(p)
	}
}

// renews wants a party to keep its leases. It comes last: to renew at once, a client may
// take away addresses that are not its own.
func (s *scene) renews(p party) {
	s.t.Helper()
	for _, c := range p.leases {
		before, err := c.Addresses(s.t.Context())
		if err != nil {
			s.t.Error(err)
		}
		if l, err := c.Renew(s.t.Context()); err != nil || !slices.ContainsFunc(before, func(p netip.Prefix) bool { return p.Addr() == l.Address.Addr() }) {
			s.t.Errorf("%s has %v and renews %v, %v", p.Name(), before, l.Address, err)
		}
	}
}

// newcomer takes an address although evil asked for all there are.
func (s *scene) newcomer(k kind) {
	s.t.Helper()
	if !k.dhcp {
		return
	}
	h := s.world.guest("new-guest", s.bridge)
	if _, err := peers.Strict(s.t, h).Take(s.t.Context()); err != nil {
		s.t.Error(err)
	}
	leases, err := s.Client.Leases(s.t.Context(), s.network)
	if err != nil || len(leases) != 5 { // two of each family, and the newcomer's
		s.t.Errorf("there are %d leases, %v: %+v", len(leases), err, leases)
	}
}

// nobodyBelieves wants no neighbour to think that an address of another is evil's, and
// the victim to have no other router than before.
func (s *scene) nobodyBelieves() {
	s.t.Helper()
	for _, p := range []party{s.victim, s.gateway} {
		for line := range lines(nstest.Run(s.t, p.NS(), "ip", "neigh", "show", "dev", p.nic)) {
			if contains(line, s.gateway.four.String()+" ", s.gateway.six.String()+" ", s.victim.four.String()+" ", s.victim.six.String()+" ", s.victim.local.String()+" ") &&
				contains(line, s.evil.mac.String()) {
				s.t.Errorf("%s believes: %s", p.Name(), line)
			}
		}
	}
	if routes := nstest.Run(s.t, s.victim.NS(), "ip", "-6", "route"); contains(routes, "2001:db8:bad:", s.evil.local.String()) {
		s.t.Errorf("the victim has routes of evil:\n%s", routes)
	}
}

// bridgeKnows wants the bridge to have learnt one address of evil's port, its own.
func (s *scene) bridgeKnows() {
	s.t.Helper()
	learnt := 0
	for line := range lines(nstest.Run(s.t, s.Lab.Machine.NS(), "bridge", "fdb", "show", "br", s.bridge)) {
		if strings.Contains(line, "permanent") || strings.Contains(line, " self") {
			continue
		}
		onEvil := strings.Contains(line, " dev "+s.iface()+" ")
		if learnt++; onEvil != strings.HasPrefix(line, s.evil.mac.String()) {
			s.t.Errorf("the bridge learnt: %s", line)
		}
	}
	if learnt > 10 {
		s.t.Errorf("the bridge learnt %d addresses", learnt)
	}
}

// iface is the interface of evil's port.
func (s *scene) iface() string {
	s.t.Helper()
	list, err := s.Client.Ports(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range list {
		if p.Name == s.port || p.Spec.Interface == s.port {
			return p.Spec.Interface
		}
	}
	s.t.Fatalf("there is no port %s", s.port)
	return ""
}
