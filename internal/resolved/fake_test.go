package resolved

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"kvmnet/internal/nstest"
	"kvmnet/internal/resolved/resolvedtest"
)

// patience is for a busy machine; what is waited for takes milliseconds.
const patience = 20 * time.Second

// fake is a systemd-resolved that keeps a record of calls.
type fake struct {
	conn *dbus.Conn

	mu     sync.Mutex
	calls  []string
	shown  map[int]registration
	refuse map[int]string // error name by index
	old    bool           // without what came with versions 239 and 240
	deaf   bool           // accepts settings, and keeps those it has
	hang   func()         // runs before each setting
}

// newFake answers on a bus.
func newFake(t *testing.T, bus *resolvedtest.Bus) *fake {
	t.Helper()
	f := &fake{shown: map[int]registration{}, refuse: map[int]string{}}
	f.join(t, bus)
	return f
}

// join connects, and takes the name last, as systemd-resolved does.
func (f *fake) join(t *testing.T, bus *resolvedtest.Bus) {
	t.Helper()
	conn, err := dbus.Connect(bus.Address)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	f.conn = conn
	must(t, conn.ExportMethodTable(f.manager(), resolvePath, managerName))
	must(t, conn.ExportMethodTable(map[string]any{"Get": f.get}, resolvePath, properties))
	reply, err := conn.RequestName(resolveName, dbus.NameFlagDoNotQueue)
	must(t, err)
	if reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("own %s: reply %d", resolveName, reply)
	}
}

// leave ends it as a crash would: all is forgotten.
func (f *fake) leave() {
	f.conn.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shown, f.calls = map[int]registration{}, nil
}

func (f *fake) manager() map[string]any {
	setting := func(method string) any {
		return func(index int32, value string) *dbus.Error { return f.record(method, index, value) }
	}
	return map[string]any{
		"SetLinkDNSSEC": setting("SetLinkDNSSEC"), "SetLinkDNSOverTLS": setting("SetLinkDNSOverTLS"),
		"SetLinkLLMNR": setting("SetLinkLLMNR"), "SetLinkMulticastDNS": setting("SetLinkMulticastDNS"),
		"SetLinkDefaultRoute": func(index int32, on bool) *dbus.Error { return f.record("SetLinkDefaultRoute", index, on) },
		"SetLinkDNS": func(index int32, list []server) *dbus.Error {
			return f.change(index, func(r *registration) { r.servers = addresses(list) }, "SetLinkDNS", list)
		},
		"SetLinkDomains": func(index int32, list []domain) *dbus.Error {
			return f.change(index, func(r *registration) { r.domains = list }, "SetLinkDomains", list)
		},
		"RevertLink": func(index int32) *dbus.Error {
			return f.change(index, func(r *registration) { *r = registration{} }, "RevertLink")
		},
		"FlushCaches": func() *dbus.Error { return f.record("FlushCaches", 0) },
	}
}

func (f *fake) record(method string, index int32, args ...any) *dbus.Error {
	f.mu.Lock()
	hang := f.hang
	f.mu.Unlock()
	if hang != nil {
		hang()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call{method, int(index), args}.String())
	if f.old && slices.Contains([]string{"SetLinkDNSOverTLS", "SetLinkDefaultRoute"}, method) {
		return dbus.NewError(unknownMethod, nil)
	}
	if name := f.refuse[int(index)]; name != "" {
		return dbus.NewError(name, []any{"refused by the test"})
	}
	return nil
}

func (f *fake) change(index int32, set func(*registration), method string, args ...any) *dbus.Error {
	if err := f.record(method, index, args...); err != nil {
		return err
	}
	f.mu.Lock()
	r := f.shown[int(index)]
	set(&r)
	if !f.deaf {
		f.shown[int(index)] = r
	}
	f.mu.Unlock()
	f.conn.Emit(resolvePath, properties+".PropertiesChanged", managerName, map[string]dbus.Variant{}, []string{"DNS"})
	return nil
}

func (f *fake) get(_, name string) (dbus.Variant, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	type shownServer struct {
		Index, Family int32
		Address       []byte
	}
	type shownDomain struct {
		Index       int32
		Name        string
		RoutingOnly bool
	}
	servers, domains := []shownServer{}, []shownDomain{}
	for index, r := range f.shown {
		for _, s := range r.wireServers() {
			servers = append(servers, shownServer{int32(index), s.Family, s.Address})
		}
		for _, d := range r.domains {
			domains = append(domains, shownDomain{int32(index), d.Name, d.RoutingOnly})
		}
	}
	if name == "DNS" {
		return dbus.MakeVariant(servers), nil
	}
	return dbus.MakeVariant(domains), nil
}

func addresses(list []server) (addrs []netip.Addr) {
	for _, s := range list {
		a, _ := netip.AddrFromSlice(s.Address)
		addrs = append(addrs, a)
	}
	return addrs
}

// with changes the fake between two calls.
func (f *fake) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// said returns the calls so far, in one line.
func (f *fake) said() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.calls, "; ")
}

// awaits waits until the calls so far are these.
func (f *fake) awaits(t *testing.T, want string) {
	t.Helper()
	nstest.Eventually(t, patience, func() error {
		if got := f.said(); got != want {
			return fmt.Errorf("calls:\nwant %s\ngot  %s", want, got)
		}
		return nil
	})
}

func awaitState(t *testing.T, c *Client, want string) {
	t.Helper()
	nstest.Eventually(t, patience, func() error {
		if got := c.State(); !strings.Contains(got, want) {
			return fmt.Errorf("state %q lacks %q", got, want)
		}
		return nil
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
