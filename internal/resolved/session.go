package resolved

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"kvmnet/internal/netns"
)

// Names on the bus (org.freedesktop.resolve1(5)).
const (
	busName     = "org.freedesktop.DBus"
	resolveName = "org.freedesktop.resolve1"
	resolvePath = dbus.ObjectPath("/org/freedesktop/resolve1")
	managerName = resolveName + ".Manager"
	properties  = busName + ".Properties"
)

// errAbsent is no failure: nobody is there.
var errAbsent = errors.New(Absent)

// session is one connection to the bus.
type session struct {
	conn    *dbus.Conn
	manager dbus.BusObject
	signals chan *dbus.Signal // closed with the connection
	ns      *netns.NS

	owner string       // unique name of the systemd-resolved that sent is about
	sent  map[int]bool // see view
}

// connect opens a connection and subscribes. A bus that accepts and stays silent
// is given up after the timeout of a call.
func (c *Client) connect(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(callTimeout, cancel)
	s, err := c.dial(ctx)
	if !timer.Stop() {
		err = fmt.Errorf("no answer within %s", callTimeout)
	}
	if err != nil {
		cancel() // closes the connection
		return nil, err
	}
	context.AfterFunc(s.conn.Context(), cancel)
	return s, nil
}

// dial leaves closing to the context.
func (c *Client) dial(ctx context.Context) (*session, error) {
	conn, err := dbus.Connect(c.address, dbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	s := &session{
		conn: conn, ns: c.ns,
		manager: conn.Object(resolveName, resolvePath),
		signals: make(chan *dbus.Signal, 16),
	}
	conn.Signal(s.signals)
	return s, s.subscribe(ctx)
}

// subscribe asks for the signals that make us look: another owner of the name,
// and changed settings of any link.
func (s *session) subscribe(ctx context.Context) error {
	owner := s.conn.AddMatchSignalContext(ctx, dbus.WithMatchSender(busName),
		dbus.WithMatchInterface(busName), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, resolveName))
	settings := s.conn.AddMatchSignalContext(ctx, dbus.WithMatchSender(resolveName),
		dbus.WithMatchInterface(properties), dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchObjectPath(resolvePath))
	return errors.Join(owner, settings)
}

// pass looks, compares and sends. worked tells that there was something to send.
func (s *session) pass(ctx context.Context, want map[int]registration) (worked bool, err error) {
	if err := s.meet(ctx); err != nil {
		return false, err
	}
	shown, err := s.observe(ctx)
	if err != nil {
		return false, fmt.Errorf("ask systemd-resolved for its links: %w", err)
	}
	calls := diff(view{shown, s.sent}, want)
	return len(calls) > 0, s.send(ctx, calls, want)
}

// meet finds out who systemd-resolved is now. A new one knows nothing of us. One
// in another network namespace counts links of its own, and setting ours there
// would redirect the names of somebody else.
func (s *session) meet(ctx context.Context) error {
	var owner string
	err := s.call(ctx, s.conn.BusObject(), busName+".GetNameOwner", resolveName).Store(&owner)
	if isError(err, busName+".Error.NameHasNoOwner") {
		s.owner = ""
		return errAbsent
	}
	if err != nil {
		return fmt.Errorf("ask D-Bus for systemd-resolved: %w", err)
	}
	if owner == s.owner {
		return nil
	}
	var pid uint32
	if err := s.call(ctx, s.conn.BusObject(), busName+".GetConnectionUnixProcessID", owner).Store(&pid); err != nil {
		return fmt.Errorf("ask D-Bus for the process of systemd-resolved: %w", err)
	}
	if err := sameNetwork(s.ns, int(pid)); err != nil {
		return err
	}
	s.owner, s.sent = owner, map[int]bool{}
	return nil
}

// observe reads servers and domains of all links: two calls for any number of
// them.
func (s *session) observe(ctx context.Context) (map[int]registration, error) {
	var servers []struct {
		Index, Family int32
		Address       []byte
	}
	var domains []struct {
		Index       int32
		Name        string
		RoutingOnly bool
	}
	if err := errors.Join(s.property(ctx, "DNS", &servers), s.property(ctx, "Domains", &domains)); err != nil {
		return nil, err
	}
	shown := map[int]registration{}
	for _, v := range servers {
		r := shown[int(v.Index)]
		a, _ := netip.AddrFromSlice(v.Address)
		r.addServer(a)
		shown[int(v.Index)] = r
	}
	for _, v := range domains {
		r := shown[int(v.Index)]
		r.addDomain(v.Name, v.RoutingOnly)
		shown[int(v.Index)] = r
	}
	return shown, nil
}

func (s *session) property(ctx context.Context, name string, into any) error {
	var v dbus.Variant
	err := s.call(ctx, s.manager, properties+".Get", managerName, name).Store(&v)
	if err == nil {
		err = dbus.Store([]any{v.Value()}, into)
	}
	return err
}

// call never starts systemd-resolved: who stopped it wants it stopped.
func (s *session) call(ctx context.Context, o dbus.BusObject, method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return o.CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...)
}

// isError tells a D-Bus error by its name.
func isError(err error, names ...string) bool {
	e, ok := errors.AsType[dbus.Error](err)
	return ok && slices.Contains(names, e.Name)
}
