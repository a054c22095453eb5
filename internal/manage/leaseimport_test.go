package manage

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

func foreignLease(address, mac, host, id string) api.Lease {
	m, _ := spec.ParseMAC(mac)
	return api.Lease{Address: netip.MustParsePrefix(address), MAC: m, Hostname: host, ClientID: id}
}

func TestImportedLeasesAreThoseOfTheNetworksSubnets(t *testing.T) {
	r := leasedRig(t)
	n, err := r.Network(t.Context(), "red")
	r.ok(err)
	for _, c := range []struct {
		network, what string
		l             api.Lease
		want          string
	}{
		{"red", "an address of the subnet", foreignLease("10.1.0.8/24", "52:54:00:00:00:08", "", ""), "red 10.1.0.8/24"},
		{"red", "another prefix length", foreignLease("10.1.0.9/32", "52:54:00:00:00:09", "", ""), "red 10.1.0.9/24"},
		{n.Spec.UUID, "by UUID", foreignLease("10.1.0.10/24", "52:54:00:00:00:0a", "", ""), "red 10.1.0.10/24"},
		{"red", "the gateway", foreignLease("10.1.0.1/24", "52:54:00:00:00:0b", "", ""), ""},
		{"red", "of another subnet", foreignLease("10.2.0.8/16", "52:54:00:00:00:0c", "", ""), ""},
		{"red", "leased to another", foreignLease("10.1.0.7/24", "52:54:00:00:00:0d", "", ""), ""},
	} {
		taken, err := r.ImportLeases(t.Context(), c.network, []api.Lease{c.l})
		if got := addresses(taken); err != nil || got != c.want {
			t.Errorf("%s: taken %q, %v, want %q", c.what, got, err, c.want)
		}
	}
	_, err = r.ImportLeases(t.Context(), "nix", nil)
	r.refused(err, api.CodeNotFound, "nix")
	r.guests.err = errors.New("the disk is full")
	_, err = r.ImportLeases(t.Context(), "red", nil)
	r.refused(err, api.CodeInternal, "take leases of network red over: the disk is full")
}

func TestImportedLeaseIsReadAsTheBookHasIt(t *testing.T) {
	r := leasedRig(t)
	end := time.Unix(2_000_000_000, 0)
	l := foreignLease("10.1.0.8/24", "52:54:00:00:00:08", "My_VM.example.org", "01:52:54")
	l.Expires, l.IAID = &end, 0
	_, err := r.ImportLeases(t.Context(), "red", []api.Lease{l, foreignLease("10.1.0.9/24", "52:54:00:00:00:09", "wpad", "no id")})
	r.ok(err)
	list := r.guests.Leases("red")
	if got := list[1]; got.Hostname != "my-vm" || got.ClientID != "\x01\x52\x54" || !got.Expires.Equal(end) || got.MAC != l.MAC {
		t.Errorf("got %+v", got)
	}
	if got := list[2]; got.Hostname != "" || got.ClientID != "" || !got.Expires.IsZero() {
		t.Errorf("got %+v", got)
	}
}
