package lease

import (
	"errors"
	"net/netip"
	"time"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// Client is who asks for an address. In a network, the family, MAC and IAID are
// the identity of a lease; everything else is told about it.
type Client struct {
	V6       bool
	MAC      spec.MAC // the guest's Ethernet address
	IAID     uint32   // DHCPv6 identity association; 0 for IPv4
	ClientID string   // raw bytes of option 61 or of the DUID, "" = none; a hint only
	Port     string   // the port it is behind, "" = not known
	Hostname string   // lower-case label it gave, already checked by the caller, "" = none
}

// RelayPort begins the Port of clients behind a relay agent; its address follows.
const RelayPort = "relay "

// Quarantine is how long an address that somebody else uses is not given. It is
// what RFC 2131 section 3.1 asks clients to wait after a DECLINE, sixty times over.
const Quarantine = 10 * time.Minute

// OfferTime is how long an offered address waits for the client to ask for it. That
// is within seconds, or another server's offer was taken.
const OfferTime = time.Minute

// State is what a lease is at the moment.
type State uint8

// The states of a lease. A released or expired one is remembered so that the
// guest gets its address again; a declined one belongs to nobody, and nobody
// gets its address until it expires.
const (
	Bound State = iota
	Released
	Expired
	Declined
)

var states = [...]string{Bound: "bound", Released: "released", Expired: "expired", Declined: "declined"}

// String is the word for the state in events and in the book.
func (s State) String() string { return states[s] }

// Ended reports whether the lease was once bound and is no longer.
func (s State) Ended() bool { return s == Released || s == Expired }

// Lease is a binding of an address to a client, present or past.
type Lease struct {
	Network string
	Addr    netip.Addr
	Client
	Begun   time.Time // of the present binding; a renewal does not change it
	Expires time.Time // zero = never; of a declined address, the end of its quarantine; of an ended lease, when it ended
	State   State
}

// Event is something that happened to a lease.
type Event struct {
	Kind    string // bound, renewed, released, expired, declined, dropped or warning
	Lease   Lease
	Message string // of a warning, and why something happened where that is not plain
}

// Want says which addresses a newcomer may have.
type Want struct {
	Ranges  []plan.Range          // sorted
	Usable  func(netip.Addr) bool // nil = all; false for excluded, reserved, conflicting; must not call the table
	Hint    netip.Addr            // asked for by the client; invalid = none
	PerPort int                   // most leases, offers and declined addresses of the family behind one port; 0 = any number
	Hold    time.Duration         // how long the proposal is kept for the client; 0 = not at all
}

// Why a client does not get an address.
var (
	ErrExhausted = errors.New("no address is free")
	ErrLimit     = errors.New("the port has as many addresses as it may have")
	ErrTaken     = errors.New("the address is another client's")
	ErrBusy      = errors.New("too many leases wait to be written to disk")
	ErrClosed    = errors.New("the lease book is closed")
)
