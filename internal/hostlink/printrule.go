package hostlink

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// text is the rule as ip-rule(8) would be told it.
func (r Rule) text(verb, dev string) string {
	w := words{"rule", verb}
	if r.family() == unix.AF_INET6 {
		w = words{"-6", "rule", verb}
	}
	if native.Uint32(r.Head[8:])&ruleInvert != 0 {
		w.add("not")
	}
	w.add("pref", r.Attrs.number(unix.FRA_PRIORITY))
	r = r.on(dev)
	for _, end := range []struct {
		word string
		kind uint16
		bits byte
	}{{"from", unix.FRA_SRC, r.Head[2]}, {"to", unix.FRA_DST, r.Head[1]}} {
		if a := r.Attrs.addr(end.kind); a.IsValid() {
			w.add(end.word, netip.PrefixFrom(a, int(end.bits)))
		}
	}
	for _, end := range []struct {
		word string
		kind uint16
	}{{"iif", unix.FRA_IIFNAME}, {"oif", unix.FRA_OIFNAME}} {
		if name := r.Attrs.text(end.kind); name != "" {
			w.add(end.word, name)
		}
	}
	r.printSelectors(&w)
	r.printAction(&w)
	return w.String()
}

func (r Rule) printSelectors(w *words) {
	if r.Attrs.has(unix.FRA_FWMARK) {
		w.add("fwmark", fmt.Sprintf("%#x/%#x", r.Attrs.number(unix.FRA_FWMARK), r.Attrs.number(unix.FRA_FWMASK)))
	}
	if tos := r.Head[3]; tos != 0 {
		w.add("tos", fmt.Sprintf("%#x", tos))
	}
	if p := r.Attrs.get(unix.FRA_IP_PROTO); len(p) == 1 {
		w.add("ipproto", p[0])
	}
	for _, span := range []struct {
		word string
		kind uint16
	}{{"sport", unix.FRA_SPORT_RANGE}, {"dport", unix.FRA_DPORT_RANGE}, {"uidrange", unix.FRA_UID_RANGE}} {
		switch b := r.Attrs.get(span.kind); len(b) {
		case 4:
			w.add(span.word, fmt.Sprintf("%d-%d", native.Uint16(b), native.Uint16(b[2:])))
		case 8:
			w.add(span.word, fmt.Sprintf("%d-%d", native.Uint32(b), native.Uint32(b[4:])))
		}
	}
}

// Actions of rules that ip(8) has other words for than for routes.
const (
	toTable = 1 // FR_ACT_TO_TBL
	toRule  = 2 // FR_ACT_GOTO
)

func (r Rule) printAction(w *words) {
	switch action := r.Head[7]; action {
	case toTable:
		if table := r.Attrs.number(unix.FRA_TABLE); table == unix.RT_TABLE_MAIN {
			w.add("lookup", "main")
		} else {
			w.add("lookup", tableText(table))
		}
	case toRule:
		w.add("goto", r.Attrs.number(unix.FRA_GOTO))
	case unix.RTN_BLACKHOLE, unix.RTN_UNREACHABLE, unix.RTN_PROHIBIT:
		w.add(kinds[action])
	default:
		w.add("nop")
	}
	if n := r.Attrs.number(unix.FRA_SUPPRESS_PREFIXLEN); r.Attrs.has(unix.FRA_SUPPRESS_PREFIXLEN) && n != forever {
		w.add("suppress_prefixlength", n)
	}
	if p := r.Attrs.get(unix.FRA_PROTOCOL); len(p) == 1 && p[0] != unix.RTPROT_BOOT && p[0] != 0 {
		w.add("protocol", protocolText(p[0]))
	}
}
