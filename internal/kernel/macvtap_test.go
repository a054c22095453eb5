package kernel

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
	"kvmnet/internal/plan"
)

var guestTap = plan.Link{Mark: "port/vm1", Name: "vm1", Type: "macvtap", Lower: "eth0", Sharing: "private", MAC: mac}

// onTwoNICs is a world with two NICs that are not ours.
func onTwoNICs(t *testing.T) *world {
	nstest.Macvtaps(t)
	w := newWorld(t)
	w.stranger("veth", "eth0")
	w.stranger("veth", "eth1")
	return w
}

// seen is a link without what was not asked for.
func seen(l plan.Link) plan.Link {
	l = managed(l)
	l.MTU, l.TapOwner = 0, ""
	return l
}

func TestMacvtapIsObservedAsAdded(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"bridge", "private", "vepa", "passthrough"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := onTwoNICs(t)
			before := w.see().String()
			l := guestTap
			l.Sharing = mode
			w.again(plan.Add, l)
			got := w.link("vm1")
			equal(t, seen(got), l)
			if _, err := os.Stat(got.Node()); err != nil {
				t.Errorf("the device of the tap: %v", err)
			}
			w.again(plan.Del, l)
			equal(t, w.see().String(), before)
		})
	}
}

func TestMacvtapIsChangedInPlaceUnlessItsNICIsAnother(t *testing.T) {
	t.Parallel()
	w := onTwoNICs(t)
	w.must(plan.Add, guestTap)
	index, l := w.link("vm1").Index, guestTap
	for _, mode := range []string{"vepa", "bridge"} {
		l.Sharing, l.MAC = mode, otherMAC
		w.again(plan.Set, l)
		if got := w.link("vm1"); seen(got) != l || got.Index != index {
			t.Errorf("%+v, want %+v in place of %d", got, l, index)
		}
	}
	l.Sharing = "passthrough"
	w.again(plan.Set, l)
	equal(t, seen(w.link("vm1")), l)
	l.Sharing, l.Lower = "private", "eth1"
	w.again(plan.Set, l)
	equal(t, seen(w.link("vm1")), l)
}

func TestMacvtapBelongsToItsOwner(t *testing.T) {
	t.Parallel()
	w := onTwoNICs(t)
	l := guestTap
	l.TapOwner = "4242"
	w.again(plan.Add, l)
	var st unix.Stat_t
	if err := unix.Stat(w.link("vm1").Node(), &st); err != nil || st.Uid != 4242 {
		t.Errorf("user %d, %v", st.Uid, err)
	}
	nobodys := guestTap
	nobodys.Name, nobodys.MAC = "vm2", otherMAC
	w.must(plan.Add, nobodys)
	if err := unix.Stat(w.link("vm2").Node(), &st); err != nil || st.Uid != 0 {
		t.Errorf("user %d, %v", st.Uid, err)
	}
}

func TestMacvtapRefuses(t *testing.T) {
	t.Parallel()
	w := onTwoNICs(t)
	w.stranger("bridge", "br0")
	whole := guestTap
	whole.Sharing = "passthrough"
	w.must(plan.Add, whole)
	before := w.see().String()
	missing, taken, second, bad := guestTap, guestTap, guestTap, guestTap
	missing.Name, missing.Lower = "a", "eth9"
	taken.Name = "br0"
	second.Name, second.MAC = "b", otherMAC
	bad.Name, bad.Lower, bad.TapOwner = "c", "eth1", "qemu"
	w.refuses(plan.Add, missing, "add link a: ", "find NIC eth9", "no such device")
	w.refuses(plan.Add, taken, "add link br0: ", "not kvmnet's")
	w.refuses(plan.Add, second, "add link b: ")
	equal(t, w.see().String(), before)
	w.refuses(plan.Add, bad, "not a user number")
}
