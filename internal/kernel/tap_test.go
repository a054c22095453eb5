package kernel

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vishvananda/netlink/nl"

	"kvmnet/internal/plan"
)

func tap(name string) plan.Link {
	return plan.Link{Mark: "port/vm1", Name: name, Type: "tap", MTU: 1400, Master: "lab0"}
}

func needTun(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(tunDevice); err != nil {
		t.Skipf("needs %s: %v", tunDevice, err)
	}
}

// open attaches to a tap as a hypervisor does.
func (w *world) open(name string) (fd int, err error) { return w.openAs(name, 0) }

func (w *world) openAs(name string, flags uint16) (fd int, err error) {
	w.Helper()
	err = w.ns.Do(func() error {
		fd, err = unix.Open(tunDevice, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		ifr, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR | flags)
		return unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	})
	w.Cleanup(func() { unix.Close(fd) })
	return fd, err
}

func (w *world) tunData(name string) map[int]int {
	w.Helper()
	data := map[int]int{}
	for kind, v := range w.bridgeData(name) {
		if len(v) >= 4 {
			data[kind] = number(v)
		} else {
			data[kind] = int(v[0])
		}
	}
	return data
}

func TestTapIsObservedAsAddedAndOpensForAHypervisor(t *testing.T) {
	t.Parallel()
	needTun(t)
	w := newWorld(t)
	l := tap("vm1.0")
	l.MAC, l.TapOwner = mac, "4242"
	w.must(plan.Add, bridge("lab0"))
	before := w.see()
	w.must(plan.Add, l)
	got := w.link("vm1.0")
	equal(t, managed(got), tap("vm1.0"))
	d, err := w.device("vm1.0")
	if err != nil || string(d.mac) == string(mac[:]) {
		t.Errorf("the tap has the guest's MAC (%v)", err)
	}
	data := w.tunData("vm1.0")
	for kind, want := range map[int]int{
		nl.IFLA_TUN_OWNER: 4242, nl.IFLA_TUN_PI: 0, nl.IFLA_TUN_VNET_HDR: 1, nl.IFLA_TUN_PERSIST: 1, nl.IFLA_TUN_MULTI_QUEUE: 0,
	} {
		if data[kind] != want {
			t.Errorf("attribute %d is %d, want %d", kind, data[kind], want)
		}
	}
	w.must(plan.Add, l)
	equal(t, w.link("vm1.0"), got)
	if _, err := w.open("vm1.0"); err != nil {
		t.Errorf("open as a hypervisor: %v", err)
	}
	w.must(plan.Add, l) // while in use
	equal(t, w.link("vm1.0").Index, got.Index)
	w.must(plan.Del, l)
	equal(t, w.see().String(), before.String())
	w.must(plan.Del, l)
}

func TestTapWithoutOwnerBelongsToRoot(t *testing.T) {
	t.Parallel()
	needTun(t)
	w := newWorld(t)
	w.must(plan.Add, bridge("lab0"), tap("vm1"))
	owner, set := w.tunData("vm1")[nl.IFLA_TUN_OWNER]
	if owner != 0 || !set {
		t.Errorf("owner %d, set %v", owner, set)
	}
}

func TestTapThatCannotBeFinishedIsNotLeftBehind(t *testing.T) {
	t.Parallel()
	needTun(t)
	w := newWorld(t)
	w.must(plan.Add, bridge("lab0"))
	before := w.see()
	for name, change := range map[string]func(*plan.Link){
		"find link none":    func(l *plan.Link) { l.Master = "none" },
		"mtu":               func(l *plan.Link) { l.MTU = 66000 },
		"not a user number": func(l *plan.Link) { l.TapOwner = "qemu" },
		"name tap":          func(l *plan.Link) { l.Name = "sixteen-letters0" },
	} {
		w.refuses(plan.Add, with(tap("vm1"), change), "add link ", name)
		equal(t, w.see().String(), before.String())
	}
}

func TestTapOfAStrangerIsNotTaken(t *testing.T) {
	t.Parallel()
	needTun(t)
	w := newWorld(t)
	w.must(plan.Add, bridge("lab0"))
	if _, err := w.open("vm1"); err != nil {
		t.Fatal(err)
	}
	before := w.link("vm1")
	if before.Type != "tap" || before.Mark != "" {
		t.Errorf("a stranger's tap is %+v", before)
	}
	w.refuses(plan.Add, tap("vm1"), "add link vm1: ", "not kvmnet's")
	w.refuses(plan.Add, tap("lab0"), "add link lab0: ", "type bridge")
	equal(t, w.link("vm1"), before)
}

func TestTapSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(tunDevice); !errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is there", tunDevice)
	}
	w := newWorld(t)
	w.must(plan.Add, bridge("lab0"))
	w.refuses(plan.Add, tap("vm1"), "add link vm1: ", tunDevice)
}
