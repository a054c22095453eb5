package peers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Lease is what a client says that it was given. Zero values are what it was
// not given, or does not tell: see Client.Silent.
type Lease struct {
	Address netip.Prefix
	Router  netip.Addr // of IPv6: the default route that the kernel or the client learnt
	DNS     []netip.Addr
	Domain  string   // IPv4: option 15
	Search  []string // IPv4: option 119; IPv6: option 24
	MTU     int      // bytes
	Time    time.Duration
	Host    string // the host name the server gave
	Server  string // server identifier: an address, or a DUID in hexadecimal
}

// Field names a part of a Lease.
type Field string

// The parts of a Lease that some clients do not tell.
const (
	Router Field = "router"
	DNS    Field = "dns"
	Domain Field = "domain"
	Search Field = "search"
	MTU    Field = "mtu"
	Time   Field = "lease time"
)

// Client is a DHCP client on eth0 of a host. Its methods wait until what they
// are for has passed on the wire and the client has taken note of it, at most
// until the context ends, and are called one at a time.
type Client interface {
	Name() string
	Family() int // 4 or 6

	// Take starts the program, unless it runs, and returns what it got. After
	// Stop the client knows its last address, if it is one that remembers.
	Take(ctx context.Context) (Lease, error)
	// Renew has the client ask the server that gave the lease for more time.
	Renew(ctx context.Context) (Lease, error)
	// Rebind has the client ask any server for more time.
	Rebind(ctx context.Context) (Lease, error)
	// Release gives the address back. The next Take asks anew.
	Release(ctx context.Context) error
	// Stop ends the program without a word to the server, as a power cut does.
	Stop() error

	Silent() []Field  // what the client does not tell
	HostName() string // that the client sends, "" if it sends none
	Trace() *Trace
	Addresses(ctx context.Context) ([]netip.Prefix, error) // that eth0 has now
}

// ErrCannot is wrapped by the error of what a client has no way to do. The text
// says why.
var ErrCannot = errors.New("the client cannot do this")

// LaterError is the error of what a client does only when the server's timer for
// it is over.
type LaterError struct {
	Client, Verb string
	In           time.Duration
}

func (e *LaterError) Error() string {
	return fmt.Sprintf("%s %ss on the server's timer only, in %s: give shorter leases or more patience", e.Client, e.Verb, e.In)
}

// Need skips a test, saying what to type, unless a program is installed.
func Need(t testing.TB, program, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("needs %s: type: apt-get install %s", program, pkg)
	}
	return path
}

// needRoot skips a test where only one user exists, as in `unshare -rn`: the
// program gives up its rights to a user of its own.
func needRoot(t testing.TB, program string) {
	t.Helper()
	if os.Getuid() != 0 || !manyUsers() {
		t.Skipf("needs root: %s changes to a user of its own", program)
	}
}

// manyUsers reports whether users other than root exist here (user_namespaces(7)).
func manyUsers() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	var inside, outside, count uint64
	if err == nil {
		fmt.Sscan(string(text), &inside, &outside, &count)
	}
	return err != nil || count > 1
}
