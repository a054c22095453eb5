package resolved

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"sync"

	"kvmnet/internal/netns"
)

// Options of a Client. The zero value is the system bus of the host, for the
// links of the network namespace of the process, without a log.
type Options struct {
	Address string    // of the bus, such as unix:path=/run/dbus/system_bus_socket; "" is DBUS_SYSTEM_BUS_ADDRESS, or that
	NS      *netns.NS // where the links are; it stays open as long as the Client
	Log     *slog.Logger
}

// systemBus is where the system bus listens unless the environment says
// otherwise (D-Bus specification, "System message bus").
const systemBus = "unix:path=/run/dbus/system_bus_socket"

// What State returns while all is well; any other text is an error.
const (
	Idle       = "nothing to register"
	Registered = "registered"
	Absent     = "no systemd-resolved"
)

// Client keeps the links registered. One goroutine owns the connection to the
// bus, so no method but Close waits for it.
type Client struct {
	address string
	ns      *netns.NS
	log     *slog.Logger
	wake    chan struct{} // holds one wake-up
	cancel  context.CancelFunc
	done    chan struct{}

	mu    sync.Mutex
	want  map[int]registration
	state string
}

// Open begins to keep links registered. It cannot fail: what is not there yet is
// waited for. It connects when there is something to register for the first
// time.
func Open(o Options) *Client {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Client{
		address: cmp.Or(o.Address, os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"), systemBus),
		ns:      o.NS, log: o.Log,
		wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}),
		want: map[int]registration{}, state: Idle,
	}
	go c.run(ctx)
	return c
}

// Set says which links are to be registered, all of them, each time. It returns
// at once, and does nothing if nothing changed. Links that are no longer listed
// lose their registration.
func (c *Client) Set(links []Link) {
	want := map[int]registration{}
	for _, l := range links {
		if l.Index > 0 {
			want[l.Index] = register(l)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if reflect.DeepEqual(want, c.want) {
		return
	}
	c.want = want
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// State tells how the last pass ended: Idle, Registered, Absent, or what went
// wrong and is tried again.
func (c *Client) State() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Close ends the goroutine and the connection. What is registered stays, so that
// a restart of the daemon leaves no gap; systemd-resolved forgets a link by
// itself when the link goes.
func (c *Client) Close() {
	c.cancel()
	<-c.done
}

func (c *Client) wanted() map[int]registration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.want)
}

// report sets the state, and logs it if it is a new one: what stays as it is for
// hours is one line.
func (c *Client) report(state string) {
	c.mu.Lock()
	old := c.state
	c.state = state
	c.mu.Unlock()
	switch state {
	case old:
	case Idle, Registered, Absent:
		c.log.Info("split DNS of the host: " + state)
	default:
		c.log.Warn("split DNS of the host: " + state)
	}
}
