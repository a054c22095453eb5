package nft

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// The contract of the modes: rows open connections to columns. "own" arrives with
// the sender's address, "host" with the host's, "-" does not arrive.
const matrix = `
from\to   outside  nat-a  nat-b  nat2  route  route2  open  open2  iso-a  iso-b  iso2  silent-a  silent-b
outside   .        -      -      -     own    own     own   own    -      -      -     -         -
nat-a     host     .      own    -     -      -       -     -      -      -      -     -         -
nat2      host     -      -      .     -      -       -     -      -      -      -     -         -
route     own      -      -      -     .      own     own   own    -      -      -     -         -
route2    own      -      -      -     own    .       own   own    -      -      -     -         -
open      own      -      -      -     own    own     .     own    -      -      -     -         -
iso-a     -        -      -      -     -      -       -     -      .      own    -     -         -
iso2      -        -      -      -     -      -       -     -      -      -      .     -         -
silent-a  -        -      -      -     -      -       -     -      -      -      -     .         own
`

// What reaches the host: the gateway address of the guest's own network, that of
// another network, and the host's address on its uplink.
const hostMatrix = `
from\to   own  other  uplink
nat-a     yes  -      yes
route     yes  -      yes
open      yes  yes    yes
iso-a     yes  -      -
silent-a  .    -      -
`

// grid reads a table of words into cells.
func grid(text string, cell func(row, column, word string)) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	columns := strings.Fields(lines[0])[1:]
	for _, l := range lines[1:] {
		words := strings.Fields(l)
		for i, w := range words[1:] {
			if w != "." {
				cell(words[0], columns[i], w)
			}
		}
	}
}

// each runs functions, at most 96 at a time.
func each(jobs []func()) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 96)
	for _, job := range jobs {
		slots <- struct{}{}
		wg.Go(func() { defer func() { <-slots }(); job() })
	}
	wg.Wait()
}

func TestNSModesReachWhatTheirContractSays(t *testing.T) {
	t.Parallel()
	l := newLab(t,
		network{"nat0", "nat", []string{"nat-a", "nat-b"}},
		network{"nat1", "nat", []string{"nat2"}},
		network{"route0", "route", []string{"route"}},
		network{"route1", "route", []string{"route2"}},
		network{"open0", "open", []string{"open"}},
		network{"open1", "open", []string{"open2"}},
		network{"iso0", "isolated", []string{"iso-a", "iso-b"}},
		network{"iso1", "isolated", []string{"iso2"}},
		network{"sil0", "silent", []string{"silent-a", "silent-b"}},
	)
	for _, callIptables := range []string{"1", "0"} {
		for _, hook := range []string{"iptables", "ip6tables"} {
			l.host.sysctl("net/bridge/bridge-nf-call-"+hook, callIptables)
		}
		t.Run("bridge-nf-call="+callIptables, func(t *testing.T) { checkModes(t, l) })
	}
	t.Run("to the host", func(t *testing.T) { checkHosts(t, l) })
}

func checkModes(t *testing.T, l *lab) {
	var jobs []func()
	grid(matrix, func(from, to, want string) {
		a, b := l.machines[from], l.machines[to]
		for _, protocol := range []string{"tcp", "udp", "icmp"} {
			for _, dst := range []netip.Addr{b.v4, b.v6} {
				jobs = append(jobs, func() { checkCell(t, a, b, protocol, dst, want) })
			}
		}
	})
	each(jobs)
}

func checkCell(t *testing.T, a, b *machine, protocol string, dst netip.Addr, want string) {
	what := fmt.Sprintf("%s to %s by %s to %s", a.name, b.name, protocol, dst)
	if want == "-" {
		if _, err := a.reach(protocol, dst, no); err == nil {
			t.Errorf("%s: arrived, must not", what)
		}
		if protocol == "udp" && b.heard(a.name+" to "+dst.String()) {
			t.Errorf("%s: the datagram arrived, must not", what)
		}
		return
	}
	saw, err := a.reach(protocol, dst, yes)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	source := map[bool]map[string]string{
		true:  {"own": a.v4.String(), "host": uplinks[0].v4 + ".1"},
		false: {"own": a.v6.String(), "host": uplinks[0].v6 + ":1"},
	}[dst.Is4()][want]
	if protocol != "icmp" && saw != source {
		t.Errorf("%s: arrived from %s, want %s", what, saw, source)
	}
}

func checkHosts(t *testing.T, l *lab) {
	bridges := map[string]string{"nat-a": "nat0", "route": "route0", "open": "open0", "iso-a": "iso0"}
	another := map[string]string{"nat-a": "nat1", "route": "nat0", "open": "nat0", "iso-a": "iso1", "silent-a": "iso0"}
	uplink := [2]netip.Addr{netip.MustParseAddr(uplinks[0].v4 + ".1"), netip.MustParseAddr(uplinks[0].v6 + ":1")}
	var jobs []func()
	grid(hostMatrix, func(from, to, want string) {
		addrs := map[string][2]netip.Addr{"own": l.gateways[bridges[from]], "other": l.gateways[another[from]], "uplink": uplink}[to]
		for _, addr := range addrs {
			for _, protocol := range []string{"tcp", "icmp"} {
				jobs = append(jobs, func() { checkHost(t, l.machines[from], protocol, addr, want) })
			}
		}
	})
	each(jobs)
}

func checkHost(t *testing.T, guest *machine, protocol string, addr netip.Addr, want string) {
	wait := no
	if want == "yes" {
		wait = yes
	}
	_, err := guest.reach(protocol, addr, wait)
	if (err == nil) != (want == "yes") {
		t.Errorf("%s to the host's %s by %s: error %v, want %s", guest.name, addr, protocol, err, want)
	}
}
