package hostlink

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func addrText(b []byte) string {
	a, _ := netip.AddrFromSlice(b)
	return a.String()
}

// short is what names the address.
func (a Address) short() string {
	if p := a.peer(); p.IsValid() {
		return a.local().String() + " peer " + netip.PrefixFrom(p, a.prefix().Bits()).String()
	}
	return a.prefix().String()
}

// scopes by their number (rtnetlink.h).
var scopes = map[uint8]string{unix.RT_SCOPE_SITE: "site", unix.RT_SCOPE_LINK: "link", unix.RT_SCOPE_HOST: "host", unix.RT_SCOPE_NOWHERE: "nowhere"}

func scopeText(n uint8) string {
	if s := scopes[n]; s != "" {
		return s
	}
	return strconv.Itoa(int(n))
}

// addressFlags in the order of ip-address(8).
var addressFlags = []struct {
	bit  uint32
	text string
}{
	{unix.IFA_F_HOMEADDRESS, "home"}, {unix.IFA_F_MANAGETEMPADDR, "mngtmpaddr"}, {unix.IFA_F_NODAD, "nodad"},
	{unix.IFA_F_NOPREFIXROUTE, "noprefixroute"}, {unix.IFA_F_MCAUTOJOIN, "autojoin"},
}

func (a Address) text(dev string) string {
	w := words{a.short()}
	if b := a.Attrs.addr(unix.IFA_BROADCAST); b.IsValid() {
		w.add("brd", b)
	}
	if label := a.Attrs.text(unix.IFA_LABEL); label != "" && label != dev {
		w.add("label", label)
	}
	w.add("dev", dev)
	if a.scope() != unix.RT_SCOPE_UNIVERSE {
		w.add("scope", scopeText(a.scope()))
	}
	if m := a.Attrs.number(unix.IFA_RT_PRIORITY); m != 0 {
		w.add("metric", m)
	}
	if preferred, valid := a.lifetimes(); preferred != forever || valid != forever {
		w.add("valid_lft", lifetimeText(valid), "preferred_lft", lifetimeText(preferred))
	}
	for _, f := range addressFlags {
		if a.flags()&f.bit != 0 {
			w.add(f.text)
		}
	}
	if o := a.Attrs.get(attrOrigin); o != nil {
		w.add("proto", number(o))
	}
	return w.String()
}

func lifetimeText(n uint32) string {
	if n == forever {
		return "forever"
	}
	return strconv.FormatUint(uint64(n), 10)
}

// words are printed with a space between each.
type words []string

func (w *words) add(list ...any) {
	for _, v := range list {
		*w = append(*w, fmt.Sprint(v))
	}
}

func (w words) String() string { return strings.Join(w, " ") }

func (n Neighbour) text(verb, dev string) string {
	w := words{"neigh", verb}
	switch lladdr := n.Attrs.get(unix.NDA_LLADDR); {
	case n.proxy():
		w.add("proxy", n.address())
	case verb == "del":
		w.add(n.address())
	default:
		w.add(n.address(), "lladdr", macText(lladdr))
	}
	w.add("dev", dev)
	if n.learnt() {
		w.add("nud", "stale")
	}
	return w.String()
}

func macText(b []byte) string {
	w := make([]string, len(b))
	for i, c := range b {
		w[i] = fmt.Sprintf("%02x", c)
	}
	return strings.Join(w, ":")
}

func (n Nexthop) text(dev string) string {
	w := words{"nexthop", "replace", "id"}
	w.add(n.id())
	if via := n.Attrs.addr(unix.NHA_GATEWAY); via.IsValid() {
		w.add("via", via)
	}
	w.add("dev", dev)
	if native.Uint32(n.Head[4:])&unix.RTNH_F_ONLINK != 0 {
		w.add("onlink")
	}
	if n.Head[2] != 0 {
		w.add("proto", protocolText(n.Head[2]))
	}
	return w.String()
}
