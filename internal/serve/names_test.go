package serve

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"

	"kvmnet/internal/lease"
	"kvmnet/internal/spec"
)

func TestPortNameIsItsGuestsWhateverOthersSay(t *testing.T) {
	t.Parallel()
	book, err := lease.Open(t.TempDir(), lease.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	n := names{book.Table("lab"), &atomic.Pointer[map[string]string]{}}
	n.ports.Store(&map[string]string{"tap1": "VM1", "tap2": "vm2"})
	bind := func(mac byte, port, name, a string) {
		t.Helper()
		c := lease.Client{MAC: spec.MAC{0x52, 0x54, 0, 0, 0, mac}, Port: port, Hostname: name}
		if _, err := n.table.Bind(c, netip.MustParseAddr(a), 3600, nil); err != nil {
			t.Fatal(err)
		}
	}
	bind(3, "tap9", "vm1", "10.0.0.3") // a stranger takes the name of a guest that is not up
	bind(2, "vm2", "web", "10.0.0.2")
	if got := fmt.Sprint(n.Lookup("vm1"), n.Lookup("vm2"), n.Lookup("web")); got != "[] [10.0.0.2] [10.0.0.2]" {
		t.Errorf("names are %s", got)
	}
	bind(1, "VM1", "", "10.0.0.1")
	if got := fmt.Sprint(n.Lookup("vm1")); got != "[10.0.0.1]" {
		t.Errorf("vm1 is %s", got)
	}
	for a, want := range map[string]string{"10.0.0.1": "vm1", "10.0.0.2": "web", "10.0.0.3": "", "10.0.0.4": ""} {
		if got := n.Hostname(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s is called %q, want %q", a, got, want)
		}
	}
}
