package dhcp4

import (
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// TestRulesOfRFC2131: guest 1 has a lease of .10, guest 2 nothing, .50 is reserved
// for guest 5, .12 is leased to guest 3.
func TestRulesOfRFC2131(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		m    *dhcpv4.DHCPv4
		want string
	}{
		"3.1 discover of a newcomer":                      {msg(discover, guest(2)), "offer 192.168.100.11"},
		"4.3.1 discover of who has a lease":               {msg(discover, guest(1)), "offer 192.168.100.10"},
		"4.3.1 the address asked for, if free":            {msg(discover, guest(2), asked("192.168.100.17")), "offer 192.168.100.17"},
		"4.3.1 the address asked for, taken":              {msg(discover, guest(2), asked("192.168.100.10")), "offer 192.168.100.11"},
		"4.3.1 the address asked for, out of range":       {msg(discover, guest(2), asked("192.168.100.70")), "offer 192.168.100.11"},
		"4.3.1 the address asked for, reserved":           {msg(discover, guest(2), asked("192.168.100.50")), "offer 192.168.100.11"},
		"4.3.1 a reservation":                             {msg(discover, guest(5)), "offer 192.168.100.50"},
		"4.3.2 selecting us":                              {msg(request, guest(2), serverID(gateway), asked("192.168.100.11")), "ack 192.168.100.11"},
		"4.3.2 selecting another server":                  {msg(request, guest(2), serverID("192.168.100.2"), asked("192.168.100.11")), "silence"},
		"4.3.2 selecting what another one has":            {msg(request, guest(2), serverID(gateway), asked("192.168.100.10")), "nak 0.0.0.0"},
		"4.3.2 selecting what is reserved for another":    {msg(request, guest(2), serverID(gateway), asked("192.168.100.50")), "nak 0.0.0.0"},
		"4.3.2 selecting without an address":              {msg(request, guest(2), serverID(gateway)), "silence"},
		"4.3.2 selecting the gateway's address":           {msg(request, guest(2), serverID(gateway), asked(gateway)), "nak 0.0.0.0"},
		"4.3.2 init-reboot, the right address":            {msg(request, guest(1), asked("192.168.100.10")), "ack 192.168.100.10"},
		"4.3.2 init-reboot, another address":              {msg(request, guest(1), asked("192.168.100.15")), "nak 0.0.0.0"},
		"4.3.2 init-reboot, wrong net":                    {msg(request, guest(1), asked("10.0.0.5")), "nak 0.0.0.0"},
		"4.3.2 init-reboot, unknown client, free address": {msg(request, guest(2), asked("192.168.100.15")), "ack 192.168.100.15"},
		"4.3.2 init-reboot, unknown client, taken":        {msg(request, guest(2), asked("192.168.100.10")), "nak 0.0.0.0"},
		"4.3.2 init-reboot, unknown client, no range":     {msg(request, guest(2), asked("192.168.100.70")), "nak 0.0.0.0"},
		"4.3.2 renewing":                                  {msg(request, guest(1), ciaddr("192.168.100.10")), "ack 192.168.100.10"},
		"4.3.2 renewing what another one has":             {msg(request, guest(1), ciaddr("192.168.100.12")), "nak 0.0.0.0"},
		"4.3.2 renewing on a wrong net":                   {msg(request, guest(1), ciaddr("10.0.0.5")), "nak 0.0.0.0"},
		"4.3.2 renewing what we do not know, free":        {msg(request, guest(2), ciaddr("192.168.100.15")), "ack 192.168.100.15"},
		"4.3.2 renewing what is reserved for one":         {msg(request, guest(5), ciaddr("192.168.100.50")), "ack 192.168.100.50"},
		"4.3.2 renewing although another is reserved":     {msg(request, guest(5), ciaddr("192.168.100.15")), "nak 0.0.0.0"},
		"4.3.5 inform":                       {msg(inform, guest(2), ciaddr("192.168.100.70")), "ack 0.0.0.0"},
		"4.3.5 inform from elsewhere":        {msg(inform, guest(2), ciaddr("10.0.0.5")), "silence"},
		"4.3.5 inform without an address":    {msg(inform, guest(2)), "silence"},
		"RFC 4039 rapid commit":              {msg(discover, guest(2), opt(optRapidCommit)), "ack 192.168.100.11"},
		"a message of servers":               {msg(offer, guest(2)), "silence"},
		"a message type from the future":     {msg(99, guest(2)), "silence"},
		"a relay in no scope":                {msg(discover, guest(2), giaddr("10.0.0.1")), "silence"},
		"a relay in a scope":                 {msg(discover, guest(2), giaddr("192.168.100.7")), "offer 192.168.100.11"},
		"a relay, an address of another net": {msg(request, guest(2), giaddr("192.168.100.7"), asked("10.0.0.5")), "nak 0.0.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := lab(reserve(plan.Reservation{Name: "five", MAC: guest(5), Addr: addr("192.168.100.50")}))
			world(t, d, func(r *rig) {
				r.want("guest 1", r.lease4(guest(1)), "ack 192.168.100.10")
				r.want("guest 3", r.lease4(guest(3), asked("192.168.100.12")), "ack 192.168.100.12")
				r.want(name, r.exchange(c.m), c.want)
			})
		})
	}
}

func TestLeaseIsOnRecordWhenAcknowledged(t *testing.T) {
	t.Parallel()
	world(t, lab(), func(r *rig) {
		r.lease4(guest(1), text(optHostname, "VM1.example.org"), text(optClientID, "\x01abc"))
		l, ok := r.table.At(addr("192.168.100.10"))
		if !ok || l.MAC != guest(1) || l.Hostname != "vm1" || l.ClientID != "\x01abc" || l.Port != "port1" {
			t.Errorf("the lease is %+v", l)
		}
		if left := time.Until(l.Expires); left < 3599*time.Second || left > 3601*time.Second {
			t.Errorf("it ends in %s", left)
		}
	})
}

func TestOfferIsNoLease(t *testing.T) {
	t.Parallel()
	world(t, lab(), func(r *rig) {
		r.want("first", r.exchange(msg(discover, guest(1))), "offer 192.168.100.10")
		r.want("again", r.exchange(msg(discover, guest(1))), "offer 192.168.100.10")
		r.want("another", r.exchange(msg(discover, guest(2))), "offer 192.168.100.11")
		if l := r.table.Leases(); len(l) != 0 {
			t.Errorf("leases %v", l)
		}
		time.Sleep(lease.OfferTime)
		r.want("when the offer is over", r.exchange(msg(discover, guest(3))), "offer 192.168.100.10")
	})
}

func TestReleasedAddressIsKeptForItsGuest(t *testing.T) {
	t.Parallel()
	world(t, lab(), func(r *rig) {
		r.lease4(guest(1))
		r.want("release", r.exchange(msg(release, guest(1), ciaddr("192.168.100.10"), serverID(gateway))), "silence")
		if l, _ := r.table.At(addr("192.168.100.10")); !l.State.Ended() {
			t.Errorf("the lease is %v", l.State)
		}
		r.want("another guest", r.exchange(msg(discover, guest(2))), "offer 192.168.100.11")
		r.want("the guest", r.exchange(msg(discover, guest(1))), "offer 192.168.100.10")
	})
}

func TestOnlyTheHolderReleasesAndDeclines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		frame spec.MAC
		m     *dhcpv4.DHCPv4
	}{
		"release by another guest":          {guest(2), msg(release, guest(2), ciaddr("192.168.100.10"))},
		"release in another guest's name":   {guest(2), msg(release, guest(1), ciaddr("192.168.100.10"))},
		"release of another address":        {guest(1), msg(release, guest(1), ciaddr("192.168.100.11"))},
		"release to another server":         {guest(1), msg(release, guest(1), ciaddr("192.168.100.10"), serverID("192.168.100.2"))},
		"decline by another guest":          {guest(2), msg(decline, guest(2), asked("192.168.100.10"))},
		"decline in another guest's name":   {guest(2), msg(decline, guest(1), asked("192.168.100.10"))},
		"decline of an address never given": {guest(1), msg(decline, guest(1), asked("192.168.100.15"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world(t, lab(), func(r *rig) {
				r.lease4(guest(1))
				r.want(name, r.from(c.frame, c.m), "silence")
				if list := r.table.Leases(); len(list) != 1 || list[0].State.String() != "bound" {
					t.Errorf("leases %+v", list)
				}
			})
		})
	}
}

func TestDeclinedAddressIsNotGivenAgain(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) { s.Ranges[0].To = addr("192.168.100.11") })
	world(t, d, func(r *rig) {
		r.lease4(guest(1))
		r.exchange(msg(decline, guest(1), asked("192.168.100.10"), serverID(gateway)))
		if len(r.warnings("found 192.168.100.10 in use")) != 1 {
			t.Errorf("warnings %q", r.warnings(""))
		}
		r.want("the guest", r.lease4(guest(1)), "ack 192.168.100.11")
		r.want("another guest", r.exchange(msg(discover, guest(2))), "silence")
		r.want("another guest that insists", r.exchange(msg(request, guest(2), asked("192.168.100.10"))), "nak 0.0.0.0")
		time.Sleep(lease.Quarantine)
		r.want("after the quarantine", r.exchange(msg(discover, guest(2))), "offer 192.168.100.10")
	})
}

func TestExpiredAddressGoesToOthersLast(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) { s.Ranges[0].To = addr("192.168.100.11") })
	world(t, d, func(r *rig) {
		r.lease4(guest(1))
		time.Sleep(time.Hour + time.Second)
		r.want("guest 2", r.lease4(guest(2)), "ack 192.168.100.11")
		r.want("guest 3", r.lease4(guest(3)), "ack 192.168.100.10")
		r.want("guest 1", r.exchange(msg(request, guest(1), asked("192.168.100.10"))), "nak 0.0.0.0")
	})
}

func TestClientOfAnotherServerIsLeftAlone(t *testing.T) {
	t.Parallel()
	world(t, lab(), func(r *rig) {
		r.exchange(msg(discover, guest(1)))
		r.want("request", r.exchange(msg(request, guest(1), serverID("192.168.100.2"), asked("192.168.100.99"))), "silence")
		if got := r.server.Counters(); got.OtherServer != 1 || got.Discovers != 1 || got.Requests != 1 || got.Offers != 1 {
			t.Errorf("counters %+v", got)
		}
	})
}
