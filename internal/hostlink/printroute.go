package hostlink

import (
	"fmt"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

var kinds = map[uint8]string{
	unix.RTN_LOCAL: "local", unix.RTN_BROADCAST: "broadcast", unix.RTN_ANYCAST: "anycast", unix.RTN_MULTICAST: "multicast",
	unix.RTN_BLACKHOLE: "blackhole", unix.RTN_UNREACHABLE: "unreachable", unix.RTN_PROHIBIT: "prohibit", unix.RTN_THROW: "throw", unix.RTN_NAT: "nat",
}

var protocols = map[uint8]string{
	unix.RTPROT_REDIRECT: "redirect", unix.RTPROT_KERNEL: "kernel", unix.RTPROT_BOOT: "boot", unix.RTPROT_STATIC: "static",
	unix.RTPROT_RA: "ra", unix.RTPROT_DHCP: "dhcp", unix.RTPROT_BIRD: "bird", unix.RTPROT_BGP: "bgp", unix.RTPROT_OSPF: "ospf", unix.RTPROT_ZEBRA: "zebra",
}

func protocolText(n uint8) string {
	if s := protocols[n]; s != "" {
		return s
	}
	return strconv.Itoa(int(n))
}

var tables = map[uint32]string{unix.RT_TABLE_LOCAL: "local", unix.RT_TABLE_DEFAULT: "default"}

func tableText(n uint32) string {
	if s := tables[n]; s != "" {
		return s
	}
	return strconv.FormatUint(uint64(n), 10)
}

// routeText is the route as ip-route(8) would be told it.
func routeText(verb, dev string, r Route) string {
	w := words{"route", verb}
	if r.family() == unix.AF_INET6 {
		w = words{"-6", "route", verb}
	}
	if k := kinds[r.kind()]; k != "" {
		w.add(k)
	}
	if to := r.destination(); to.Bits() == 0 {
		w.add("default")
	} else {
		w.add(to)
	}
	if from := r.Attrs.addr(unix.RTA_SRC); from.IsValid() {
		w.add("from", netip.PrefixFrom(from, int(r.Head[2])))
	}
	if tos := r.Head[3]; tos != 0 {
		w.add("tos", fmt.Sprintf("%#x", tos))
	}
	r.printWay(&w, dev)
	r.printRest(&w)
	for i, h := range r.hops() {
		if i < len(r.Devices) && r.Devices[i] != "" {
			printHop(&w, h, r.Devices[i])
		} else {
			printHop(&w, h, dev)
		}
	}
	return w.String()
}

func (r Route) printWay(w *words, dev string) {
	if id := r.Attrs.number(attrNexthop); id != 0 {
		w.add("nhid", id)
		return
	}
	if via := gateway(r.Attrs); via.IsValid() {
		w.add(r.via(via), via)
	}
	if !r.Attrs.has(unix.RTA_MULTIPATH) {
		w.add("dev", dev)
	}
}

// via is "via inet6" where the gateway is of the other family (RFC 5549).
func (r Route) via(a netip.Addr) string {
	if r.family() == unix.AF_INET && a.Is6() {
		return "via inet6"
	}
	return "via"
}

func gateway(attrs Attrs) netip.Addr {
	if via := attrs.get(unix.RTA_VIA); len(via) > 2 {
		a, _ := netip.AddrFromSlice(via[2:])
		return a
	}
	return attrs.addr(unix.RTA_GATEWAY)
}

func (r Route) printRest(w *words) {
	if t := r.table(); t != unix.RT_TABLE_MAIN {
		w.add("table", tableText(t))
	}
	if r.protocol() != unix.RTPROT_BOOT {
		w.add("proto", protocolText(r.protocol()))
	}
	if r.scope() != unix.RT_SCOPE_UNIVERSE {
		w.add("scope", scopeText(r.scope()))
	}
	if src := r.Attrs.addr(unix.RTA_PREFSRC); src.IsValid() {
		w.add("src", src)
	}
	if m := r.Attrs.number(unix.RTA_PRIORITY); m != 0 {
		w.add("metric", m)
	}
	if r.flags()&unix.RTNH_F_ONLINK != 0 {
		w.add("onlink")
	}
	printMetrics(w, r.Attrs.get(unix.RTA_METRICS))
	if e := r.Attrs.number(attrExpires); e != 0 {
		w.add("expires", e)
	}
	if p := r.Attrs.get(unix.RTA_PREF); len(p) == 1 && p[0] != 0 {
		w.add("pref", map[byte]string{1: "high", 3: "low"}[p[0]])
	}
	if r.Attrs.has(unix.RTA_ENCAP) {
		w.add("encap", "…")
	}
}

var metrics = map[uint16]string{
	unix.RTAX_MTU: "mtu", unix.RTAX_WINDOW: "window", unix.RTAX_RTT: "rtt", unix.RTAX_RTTVAR: "rttvar", unix.RTAX_SSTHRESH: "ssthresh",
	unix.RTAX_CWND: "cwnd", unix.RTAX_ADVMSS: "advmss", unix.RTAX_REORDERING: "reordering", unix.RTAX_HOPLIMIT: "hoplimit",
	unix.RTAX_INITCWND: "initcwnd", unix.RTAX_FEATURES: "features", unix.RTAX_RTO_MIN: "rto_min", unix.RTAX_INITRWND: "initrwnd",
	unix.RTAX_QUICKACK: "quickack", unix.RTAX_CC_ALGO: "congctl",
}

// printMetrics prints the metrics block; those named by RTAX_LOCK are fixed.
func printMetrics(w *words, block []byte) {
	list := parseAttrs(block)
	locked := list.number(unix.RTAX_LOCK)
	for _, a := range list {
		name := metrics[a.Type]
		switch {
		case name == "":
			continue
		case locked&(1<<a.Type) != 0:
			name += " lock"
		}
		if a.Type == unix.RTAX_CC_ALGO {
			w.add(name, unix.ByteSliceToString(a.Data))
			continue
		}
		w.add(name, number(a.Data))
	}
}

func printHop(w *words, h []byte, dev string) {
	w.add("nexthop")
	attrs := parseAttrs(h[unix.SizeofRtNexthop:])
	if via := gateway(attrs); via.IsValid() {
		w.add("via", via)
	}
	w.add("dev", dev)
	if weight := h[3]; weight > 0 {
		w.add("weight", int(weight)+1)
	}
	if h[hopFlags]&unix.RTNH_F_ONLINK != 0 {
		w.add("onlink")
	}
}
