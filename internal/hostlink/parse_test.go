package hostlink

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzMessages reads what the kernel could tell, and prints it: it must not break, and
// what is written again must be read as the same.
func FuzzMessages(f *testing.F) {
	route := kernelRoute(netip.MustParsePrefix("0.0.0.0/0"), unix.RT_SCOPE_UNIVERSE, 7, unspecified(unix.AF_INET))
	hops := native.AppendUint16(nil, 16)
	hops = append(hops, 0, 0, 2, 0, 0, 0, 8, 0, 5, 0, 192, 0, 2, 1)
	route.Attrs = append(route.Attrs, Attr{unix.RTA_MULTIPATH, hops}, Attr{unix.RTA_METRICS, Attrs{{unix.RTAX_MTU, bytes32(1400)}}.appendTo(nil)})
	f.Add(route.body())
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < unix.SizeofIfInfomsg {
			return
		}
		parseDevice(b)
		for _, head := range []int{unix.SizeofRtMsg, unix.SizeofIfAddrmsg, unix.SizeofNdMsg, sizeofNexthop} {
			for _, o := range parseObjects([][]byte{b}, head, 0) {
				again := Object{o.Head, parseAttrs(o.Attrs.appendTo(nil))}
				if again.canonical() != o.canonical() {
					t.Errorf("%v was read as %v", o, again)
				}
			}
		}
		o := parseObjects([][]byte{b}, unix.SizeofRtMsg, 0)[0]
		r := Route{Object: o}.bare(2)
		_, _ = routeText("add", "eth0", r), r.group()
		if c := r.reindexed(0, 9).reindexed(9, 0); len(c.hops()) != len(r.hops()) {
			t.Errorf("hops were lost: %v %v", c, r)
		}
		a := Address{parseObjects([][]byte{b}, unix.SizeofIfAddrmsg, 0)[0]}.bare()
		_, _, _, _ = a.text("eth0"), a.connected(), a.content(), a.named("eth0", "br0")
		n := Neighbour{parseObjects([][]byte{b}, unix.SizeofNdMsg, 0)[0]}.bare()
		_, _ = n.text("add", "eth0"), n.counts()
		if rule, ok := (Rule{Object: parseObjects([][]byte{b}, sizeofRule, 0)[0]}).bare("eth0"); ok {
			_ = rule.text("add", "br0")
		}
		_ = Nexthop{parseObjects([][]byte{b}, sizeofNexthop, 0)[0]}.bare().text("eth0")
		verdict(answer{kind: unix.NLMSG_ERROR, flags: unix.NLM_F_ACK_TLVS, body: b})
	})
}

func TestWirelessIsToldByTheTreeOfTheSameInterface(t *testing.T) {
	t.Parallel()
	sys := t.TempDir()
	for path, text := range map[string]string{
		"wlan0/ifindex": "3\n", "wlan0/phy80211/name": "phy0\n", "wlan1/ifindex": "4\n", "wlan1/wireless/link": "1\n", "eth0/ifindex": "2\n",
	} {
		file := filepath.Join(sys, "class/net", path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		index int
		want  bool
	}{
		{"wlan0", 3, true}, {"wlan1", 4, true}, {"eth0", 2, false},
		{"wlan0", 9, false}, // the tree shows the interfaces of another namespace
		{"eth9", 2, false},
	} {
		if got := wireless(sys, c.name, c.index); got != c.want {
			t.Errorf("%s with number %d: %v, want %v", c.name, c.index, got, c.want)
		}
	}
}

func TestGroupsOfTheKernelAreNotTold(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"ff02::1": true, "ff01::1": true, "ff02::2": true, "ff05::2": true, "ff02::1:ff00:77": true, "ff02::6a": true,
		"ff02::fb": false, "ff05::1:3": false, "ff02::1:3": false, "ff0e::1:ff00:77": false,
	} {
		if got := joinedByKernel(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
