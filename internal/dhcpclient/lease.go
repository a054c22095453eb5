package dhcpclient

import (
	"net/netip"
	"time"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// Lease is an address that a server gave, and what came with it.
type Lease struct {
	MAC       spec.MAC             `json:"mac"` // whose it is
	Address   netip.Prefix         `json:"address"`
	Gateway   netip.Addr           `json:"gateway,omitzero"`
	DNS       []netip.Addr         `json:"dns,omitempty"`
	Routes    []plan.AcquiredRoute `json:"routes,omitempty"`
	Domain    string               `json:"domain,omitempty"`
	MTU       int                  `json:"mtu,omitempty"`
	Server    netip.Addr           `json:"server"`
	ServerMAC spec.MAC             `json:"serverMAC,omitzero"` // who the answer came from, on this link
	Renew     time.Time            `json:"renew,omitzero"`     // when to ask the server for more time; zero = never
	Rebind    time.Time            `json:"rebind,omitzero"`    // when to ask anybody
	Ends      time.Time            `json:"ends,omitzero"`      // zero = never
}

// String is the lease as logs have it; nil is none.
func (l *Lease) String() string {
	if l == nil {
		return "none"
	}
	text := l.Address.String()
	if l.Gateway.IsValid() {
		text += " via " + l.Gateway.String()
	}
	text += " from " + l.Server.String()
	if !l.Ends.IsZero() {
		text += " until " + l.Ends.UTC().Format(time.RFC3339)
	}
	return text
}

// over tells whether the lease has run out.
func (l *Lease) over(now time.Time) bool { return !l.Ends.IsZero() && !now.Before(l.Ends) }

// acquired is what plan needs of it.
func (l *Lease) acquired() plan.Acquired {
	return plan.Acquired{Address: l.Address, Gateway: l.Gateway, DNS: l.DNS, Routes: l.Routes}
}

// sound tells whether a lease read from somewhere can be one.
func (l *Lease) sound() bool {
	times := l.Ends.IsZero() || !l.Renew.IsZero() && !l.Rebind.Before(l.Renew) && !l.Ends.Before(l.Rebind)
	return l.Address.IsValid() && usable(l.Address.Addr()) && l.Address.Bits() > 0 && l.Server.Is4() && times
}

// usable tells whether an address can be a host's.
func usable(a netip.Addr) bool {
	return a.Is4() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a.As4()[0] < 240
}
