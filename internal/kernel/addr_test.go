package kernel

import (
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

func addr(link, prefix string) plan.Addr {
	return plan.Addr{Mark: lab, Link: link, Prefix: pfx(prefix)}
}

// strangersAddr adds an address without our mark.
func (w *world) strangersAddr(link, prefix string) {
	w.Helper()
	p := pfx(prefix)
	d, err := w.device(link)
	if err != nil {
		w.Fatal(err)
	}
	msg := nl.NewIfAddrmsg(familyOf(p.Addr()))
	msg.Index, msg.Prefixlen = uint32(d.index), uint8(p.Bits())
	w.raw(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, msg,
		attr(unix.IFA_LOCAL, p.Addr().AsSlice()), attr(unix.IFA_ADDRESS, p.Addr().AsSlice()))
}

func TestAddrIsObservedAsAdded(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"192.168.100.1/24", "10.0.0.1/32", "10.0.0.0/31", "fd00:1::1/64", "2001:db8::1/128", "fe80::1/64"} {
		w := newWorld(t)
		w.must(plan.Add, bridge("lab0"), plan.Up{Link: "lab0"})
		before := w.see()
		a := addr("lab0", prefix)
		for range 2 {
			w.must(plan.Add, a)
			equal(t, w.see()[a.Key()], plan.Object(a))
		}
		for range 2 {
			w.must(plan.Del, a)
			equal(t, w.see().String(), before.String())
		}
	}
}

func TestAddrOfANewBridgeIsUsableAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(plan.Add, bridge("lab0"), addr("lab0", "fd00:1::1/64"), plan.Up{Link: "lab0"})
	list, err := w.addresses()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if a.prefix == pfx("fd00:1::1/64") {
			if a.flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_NOPREFIXROUTE) != 0 || a.flags&unix.IFA_F_NODAD == 0 {
				t.Errorf("flags %x", a.flags)
			}
			return
		}
	}
	t.Error("no such address")
}

func TestAddrOwnership(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stranger("bridge", "br0")
	w.must(plan.Add, bridge("lab0"),
		addr("lab0", "10.1.0.1/24"), addr("lab0", "fd01::1/64"), addr("br0", "10.2.0.1/24"), addr("br0", "fe80::7/64"))
	for _, p := range []string{"10.3.0.1/24", "fd03::1/64", "fe80::9/64"} {
		w.strangersAddr("lab0", p)
		w.strangersAddr("br0", p)
	}
	got := map[string]plan.Mark{}
	for a := range plan.Of[plan.Addr](w.see()) {
		got[a.Link+" "+a.Prefix.String()] = a.Mark
	}
	equal(t, got, map[string]plan.Mark{
		"lab0 10.1.0.1/24": lab, "lab0 fd01::1/64": lab,
		"br0 10.2.0.1/24": Host, "br0 fe80::7/64": Host,
		"lab0 10.3.0.1/24": "", "lab0 fd03::1/64": "",
		"br0 10.3.0.1/24": "", "br0 fd03::1/64": "", "br0 fe80::9/64": "",
	})
}

func TestAddrOwnershipWhereTheKernelKeepsNoOrigin(t *testing.T) {
	t.Parallel()
	v := view{release: release{5, 10}, marks: map[int]plan.Mark{1: lab}}
	for _, c := range []struct {
		index  int
		prefix string
		want   plan.Mark
	}{
		{1, "10.0.0.1/24", lab}, {1, "fd00::1/64", lab}, {1, "fe80::1/64", ""}, {2, "10.0.0.1/24", ""},
	} {
		if got := v.markAddr(address{index: c.index, prefix: pfx(c.prefix)}); got != c.want {
			t.Errorf("%s on link %d is %q, want %q", c.prefix, c.index, got, c.want)
		}
	}
}

func TestAddrPassing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		prefix string
		flags  uint32
		proto  int
		link   plan.Mark
		want   bool
	}{
		{"10.0.0.2/24", unix.IFA_F_SECONDARY, 0, lab, false},
		{"2001:db8::2/64", unix.IFA_F_TEMPORARY, 0, "", true},
		{"fe80::2/64", 0, 3, lab, true},
		{"fe80::2/64", 0, 3, "", false},
		{"fe80::1/64", 0, protocol, lab, false},
	} {
		if got := (address{prefix: pfx(c.prefix), flags: c.flags, proto: c.proto}).passing(c.link); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestAddrSeveralLengthsOfOneAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(plan.Add, bridge("lab0"), addr("lab0", "10.0.0.1/24"), addr("lab0", "fd00::1/64"))
	// The order of a change is add before delete.
	w.must(plan.Add, addr("lab0", "10.0.0.1/16"), addr("lab0", "fd00::1/48"))
	w.must(plan.Del, addr("lab0", "10.0.0.1/24"), addr("lab0", "fd00::1/64"))
	got := map[netip.Prefix]plan.Mark{}
	for a := range plan.Of[plan.Addr](w.see()) {
		got[a.Prefix] = a.Mark
	}
	equal(t, got, map[netip.Prefix]plan.Mark{pfx("10.0.0.1/16"): lab, pfx("fd00::1/48"): lab})
}

func TestAddrRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(plan.Add, bridge("lab0"))
	w.strangersAddr("lab0", "fd00::1/64")
	w.refuses(plan.Add, addr("lab0", "fd00::1/48"), "add addr fd00::1/48 dev lab0: ", "not kvmnet's")
	w.refuses(plan.Add, addr("none", "10.0.0.1/24"), "add addr 10.0.0.1/24 dev none: ", "find link none", "no such device")
	w.must(plan.Del, addr("none", "10.0.0.1/24"))
	w.must(plan.Add, addr("lab0", "fd00::1/64"))
	if got := w.see()[addr("lab0", "fd00::1/64").Key()].Owner(); got != "" {
		t.Errorf("a stranger's address became %q", got)
	}
}

func TestAddrThatIsDeprecatedIsNobodysSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(plan.Add, bridge("lab0"), plan.Up{Link: "lab0"})
	held := addr("lab0", "fd01::60/128")
	held.Deprecated = true
	w.again(plan.Add, held, addr("lab0", "fd01::1/64"))
	list, err := w.addresses()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if want := a.prefix == held.Prefix; want != (a.flags&unix.IFA_F_DEPRECATED != 0) {
			t.Errorf("%s has flags %#x", a.prefix, a.flags)
		}
	}
	w.again(plan.Del, held)
	if w.has(held) {
		t.Error("still there")
	}
}
