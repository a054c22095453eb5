package kernel

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vishvananda/netlink/nl"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// A tap of several queues is opened by all of them, and by nobody who wants one only.
func TestTapOfSeveralQueues(t *testing.T) {
	t.Parallel()
	needTun(t)
	w := newWorld(t)
	w.must(plan.Add, bridge("lab0"), with(tap("vm1"), func(l *plan.Link) { l.Queues = 3 }))
	if got := w.tunData("vm1")[nl.IFLA_TUN_MULTI_QUEUE]; got != 1 {
		t.Errorf("multi_queue is %d", got)
	}
	if _, err := w.open("vm1"); !errors.Is(err, unix.EINVAL) {
		t.Errorf("opened with one queue: %v", err)
	}
	for i := range 3 {
		if _, err := w.openAs("vm1", unix.IFF_MULTI_QUEUE); err != nil {
			t.Errorf("queue %d: %v", i, err)
		}
	}
}

// Whether a program has a tap open is seen with the network stopped, too.
func TestTapIsSeenOpen(t *testing.T) {
	t.Parallel()
	needTun(t)
	w := newWorld(t)
	w.must(plan.Add, bridge("lab0"), tap("vm1"))
	for _, up := range []bool{false, true} {
		if up {
			w.must(plan.Add, plan.Up{Mark: "port/vm1", Link: "vm1"})
		}
		if w.link("vm1").Open {
			t.Errorf("up %v: it is open, and nobody has opened it", up)
		}
		fd, err := w.openQueue("vm1", tapFlags(1, false))
		if err != nil {
			t.Fatal(err)
		}
		if !w.link("vm1").Open {
			t.Errorf("up %v: it is not seen open", up)
		}
		dup, err := unix.Dup(fd)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fd)
		if !w.link("vm1").Open {
			t.Errorf("up %v: not open, and a descriptor is left", up)
		}
		unix.Close(dup)
		if w.link("vm1").Open {
			t.Errorf("up %v: still open", up)
		}
	}
}

func TestOpenedTapIsFinishedAndGoesWithItsLastDescriptor(t *testing.T) {
	t.Parallel()
	needTun(t)
	for _, queues := range []int{0, 1, 4} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("queues=%d plain=%v", queues, plain), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				before := w.see()
				files, err := w.OpenTap(Tap{Name: "vm1", MAC: mac, MTU: 9000, Owner: 4242, Queues: queues, Plain: plain})
				if err != nil || len(files) != max(queues, 1) {
					t.Fatalf("%d descriptors, %v", len(files), err)
				}
				w.isFinished(plain)
				data := w.tunData("vm1")
				if data[nl.IFLA_TUN_OWNER] != 4242 || data[nl.IFLA_TUN_PERSIST] != 0 || data[nl.IFLA_TUN_MULTI_QUEUE] != min(queues/2, 1) {
					t.Errorf("attributes %v", data)
				}
				for i, f := range files {
					if _, there := w.see().Link("", "vm1"); !there {
						t.Errorf("it is gone with %d descriptors left", len(files)-i)
					}
					f.Close()
				}
				equal(t, w.see().String(), before.String())
			})
		}
	}
}

// isFinished checks what everybody sees of a tap from the beginning: it is nobody's,
// down and silent, and no bridge takes its address.
func (w *world) isFinished(plain bool) {
	w.Helper()
	l, have := w.link("vm1"), w.see()
	if l.Owner() != "" || l.Type != "tap" || l.MTU != 9000 || l.MAC != (spec.MAC{0xfe, mac[1], mac[2], mac[3], mac[4], mac[5]}) || !l.Open {
		w.Errorf("the tap is %+v", l)
	}
	if _, up := have[plan.Up{Link: "vm1"}.Key()]; up {
		w.Error("it is up before a bridge has it")
	}
	quiet := plan.Sysctl{Family: "ipv6", Link: "vm1", Name: "disable_ipv6"}
	if s, ok := have[quiet.Key()].(plan.Sysctl); ok && s.Value != "1" {
		w.Errorf("the host speaks IPv6 on it: %s", s)
	}
	if got := w.tunData("vm1")[nl.IFLA_TUN_VNET_HDR]; (got == 1) == plain {
		w.Errorf("vnet_hdr is %d", got)
	}
}

// A guest whose MAC nobody knows gets a tap that no bridge takes its address from.
func TestOpenedTapOfAnUnknownGuest(t *testing.T) {
	t.Parallel()
	needTun(t)
	w := newWorld(t)
	files, err := w.OpenTap(Tap{Name: "vm1"})
	if err != nil {
		t.Fatal(err)
	}
	defer files[0].Close()
	if l := w.link("vm1"); l.MAC[0] != 0xfe || l.MTU != 1500 {
		t.Errorf("the tap is %+v", l)
	}
}

func TestTapThatCannotBeOpenedLeavesNothing(t *testing.T) {
	t.Parallel()
	needTun(t)
	w := newWorld(t)
	w.stranger("veth", "eth0")
	before := w.see()
	for name, one := range map[string]struct {
		tap  Tap
		want error
	}{
		"a name that is taken":     {Tap{Name: "eth0"}, unix.EBUSY},
		"an MTU no tap has":        {Tap{Name: "vm1", MTU: 66000}, unix.EINVAL},
		"more queues than a tap's": {Tap{Name: "vm1", Queues: 257}, unix.E2BIG},
	} {
		files, err := w.OpenTap(one.tap)
		if !errors.Is(err, one.want) || len(files) > 0 || !strings.Contains(err.Error(), "open tap "+one.tap.Name) {
			t.Errorf("%s: %d descriptors, %v", name, len(files), err)
		}
		equal(t, w.see().String(), before.String())
	}
	if _, err := w.open("theirs"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.OpenTap(Tap{Name: "theirs"}); !errors.Is(err, unix.EBUSY) {
		t.Errorf("a tap of others: %v", err)
	}
}

// Frames pass as soon as the bridge has it and it is up: virtio's header first.
func TestOpenedTapCarriesFrames(t *testing.T) {
	t.Parallel()
	needTun(t)
	w := newWorld(t)
	w.must(plan.Add, bridge("lab0"), plan.Up{Mark: lab, Link: "lab0"})
	var ends []*os.File
	for _, name := range []string{"vm1", "vm2"} {
		files, err := w.OpenTap(Tap{Name: name, Plain: true})
		if err != nil {
			t.Fatal(err)
		}
		defer files[0].Close()
		ends = append(ends, files[0])
		w.must(plan.Set, plan.Link{Mark: "port/vm", Name: name, Type: "tap", Master: "lab0", Foreign: true})
		w.must(plan.Add, plan.Up{Mark: "port/vm", Link: name})
	}
	frame := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0, 0, 1, 0x88, 0xb5}, make([]byte, 50)...)
	copy(frame[20:], "from one guest to the other")
	if _, err := ends[0].Write(frame); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 2048)
	for {
		n, err := ends[1].Read(got)
		if err != nil {
			t.Fatal(err)
		}
		if string(got[:n]) == string(frame) {
			return
		}
	}
}
