package libvirtxml

import (
	"cmp"
	"strconv"
	"strings"
	"unicode/utf8"

	"kvmnet/internal/spec"
)

// render writes a network as libvirt's document, as far as libvirt's own elements can
// say it. Where they cannot, it writes what is nearest to it and still right; own
// tells the difference.
func render(name string, n *spec.Network) *Network {
	return &Network{
		Name: name, UUID: strings.ToLower(n.UUID), Title: speakable(n.Title), Description: speakable(n.Description),
		Forward: renderForward(n), Bridge: renderBridge(n), MTU: n.Bridge.MTU, MAC: n.Bridge.MAC,
		Domain: renderDomain(n), DNS: renderDNS(n), Bandwidth: renderBandwidth(n.Bandwidth), Isolated: yes(n.Isolated),
		IPs: renderIPs(n), Routes: renderRoutes(n),
	}
}

// speakable leaves out the characters that no XML text can hold (XML 1.0 section 2.2).
func speakable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r >= 0x20 && r != utf8.RuneError && r != 0xfffe && r != 0xffff:
			return r
		}
		return -1
	}, s)
}

func yes(on bool) string {
	if on {
		return "yes"
	}
	return ""
}

func no(off bool) string {
	if off {
		return "no"
	}
	return ""
}

func renderForward(n *spec.Network) *Forward {
	f := &Forward{Mode: string(n.Mode)}
	switch {
	case n.Mode == spec.Isolated, n.Mode == spec.Open && len(n.Subnets) == 0:
		return nil // libvirt has no mode open without an address
	case n.Direct != nil:
		f.Mode = cmp.Or(string(n.Direct.Mode), string(spec.DirectBridge))
		for _, device := range n.Direct.Devices {
			f.Interfaces = append(f.Interfaces, Device{Name: device})
		}
	case n.Uplink != "":
		f.Interfaces = []Device{{Name: n.Uplink}}
	}
	if len(f.Interfaces) > 0 {
		f.Dev = f.Interfaces[0].Name
	}
	if n.Mode == spec.NAT {
		f.NAT = renderNAT(n)
	}
	return f
}

// libvirtPorts are the source ports that libvirt gives guests where it is not told
// otherwise: not those below 1024, which some servers trust.
var libvirtPorts = spec.PortRange{From: 1024, To: 65535}

var allPorts = spec.PortRange{From: 1, To: 65535}

func renderNAT(n *spec.Network) *NAT {
	w := spec.NATSettings{}
	if n.NAT != nil {
		w = *n.NAT
	}
	nat := &NAT{IPv6: yes(w.IPv6 == nil && hasIPv6(n) || w.IPv6 != nil && *w.IPv6)}
	if !w.Address.IsZero() {
		nat.Start, nat.End = w.Address.From.String(), w.Address.To.String()
	}
	if ports := cmp.Or(w.Ports, allPorts); ports != libvirtPorts {
		nat.PortStart, nat.PortEnd = int(ports.From), int(ports.To)
	}
	if *nat == (NAT{}) {
		return nil
	}
	return nat
}

func hasIPv6(n *spec.Network) bool {
	for _, s := range n.Subnets {
		if s.Address.Addr().Is6() {
			return true
		}
	}
	return false
}

func renderBridge(n *spec.Network) *Bridge {
	switch {
	case n.Mode.Managed():
		b := &Bridge{Name: n.Bridge.Name, STP: "off", Delay: "0"}
		if n.Bridge.STP {
			b.STP, b.Delay = "on", renderDelay(n.Bridge.ForwardDelay)
		}
		return b
	case n.Bridge.Name != "":
		return &Bridge{Name: n.Bridge.Name}
	}
	return nil
}

// The kernel makes the shortest delay there is of a shorter one, and without a word
// takes 15 seconds.
const (
	shortestDelay spec.Seconds = 2
	longestDelay  spec.Seconds = 30
	usualDelay    spec.Seconds = 15
)

func renderDelay(d spec.Seconds) string {
	if d == shortestDelay {
		return "0"
	}
	return strconv.Itoa(int(cmp.Or(d, usualDelay)))
}

// renderBandwidth counts in kilobytes, of 1000 bytes, a second.
func renderBandwidth(b *spec.Bandwidth) *Bandwidth {
	if b == nil || *b == (spec.Bandwidth{}) {
		return nil
	}
	return &Bandwidth{In: renderLimit(b.In), Out: renderLimit(b.Out)}
}

const (
	bitsOfKilobyte = 8000
	kibibyte       = 1024
)

func renderLimit(l spec.Limit) *Limit {
	if l.Rate == 0 {
		return nil
	}
	x := &Limit{Average: max(1, int(l.Rate/bitsOfKilobyte)), Burst: int(l.Burst / kibibyte)}
	if l.Peak > 0 {
		x.Peak = max(1, int(l.Peak/bitsOfKilobyte))
	}
	return x
}
