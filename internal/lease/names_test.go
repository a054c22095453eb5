package lease

import (
	"fmt"
	"testing"
)

func TestTheNewestHasTheName(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		changes := d.Generation()
		step := func(changed bool, want ...string) {
			t.Helper()
			if now := d.Generation(); (now != changes) != changed {
				t.Errorf("generation %d → %d", changes, now)
			} else {
				changes = now
			}
			if got := d.Lookup("web"); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("web is %v, want %v", got, want)
			}
		}
		d.bind(named(vm(1), "web"), "10.0.0.10", 3600)
		step(true, "10.0.0.10")
		d.bind(v6(named(vm(1), "web"), 1), "fd00::1", 3600)
		step(true, "10.0.0.10", "fd00::1")
		d.bind(named(vm(2), "web"), "10.0.0.11", 3600)
		step(true, "10.0.0.11")
		d.bind(named(vm(1), "web"), "10.0.0.10", 3600) // a renewal takes no name
		step(false, "10.0.0.11")
		d.bind(vm(2), "10.0.0.11", 3600) // and keeps it
		step(false, "10.0.0.11")
		d.Release(vm(2), ip("10.0.0.11"), nil)
		step(true, "10.0.0.10", "fd00::1")
		d.bind(named(vm(1), "db"), "10.0.0.10", 3600)
		step(true, "fd00::1")
		if d.Hostname(ip("10.0.0.10")) != "db" || d.Hostname(ip("10.0.0.11")) != "" {
			t.Errorf("names %q, %q", d.Hostname(ip("10.0.0.10")), d.Hostname(ip("10.0.0.11")))
		}
		d.End(ip("fd00::1"), nil)
		step(true)
		d.bind(named(vm(3), "web"), "10.0.0.13", 3600)
		d.bind(named(vm(4), "web"), "10.0.0.14", 3600)
		step(true, "10.0.0.14")
		d.bind(v6(named(vm(3), "web"), 1), "fd00::3", 3600) // the newest again
		step(true, "10.0.0.13", "fd00::3")
		d.DropPort("vm3", nil)
		step(true, "10.0.0.14")
		d.End(ip("10.0.0.14"), nil)
		step(true)
		d.End(ip("10.0.0.10"), nil) // db
		if n := len(d.alloc.names.newest) + len(d.alloc.names.bearers); n != 0 {
			t.Errorf("%d names are left of nobody", n)
		}
	})
}

func TestTheGuestBehindAPortHasThePortsName(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		behind := func(c Client, port string) Client { c.Port = port; return c }
		d.bind(behind(named(vm(1), "debian"), "VM1"), "10.0.0.10", 3600)
		d.bind(behind(v6(vm(1), 1), "VM1"), "fd00::1", 3600)
		d.bind(behind(named(vm(2), "debian"), "vm2"), "10.0.0.11", 3600)
		if got := fmt.Sprint(d.Behind("vm1"), d.Behind("vm2"), d.Behind("debian")); got != "[10.0.0.10 fd00::1] [10.0.0.11] []" {
			t.Errorf("behind the ports are %s", got)
		}
		changes := d.Generation()
		d.bind(behind(vm(1), "vm3"), "10.0.0.10", 3600) // renewed on another port
		if got := fmt.Sprint(d.Behind("vm1"), d.Behind("vm3")); got != "[fd00::1] [10.0.0.10]" || d.Generation() == changes {
			t.Errorf("after it was re-plugged: %s", got)
		}
		d.DropPort("vm3", nil)
		if d.Behind("vm3") != nil {
			t.Error("a name is left of nobody")
		}
	})
}
