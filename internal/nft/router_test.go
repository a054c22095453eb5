package nft

import (
	"net/netip"
	"strings"
	"testing"

	"kvmnet/internal/plan"
)

// routerConn opens a namespace as that of a router.
func routerConn(t testing.TB, m *machine) *Conn {
	t.Helper()
	c, err := Open(m.ns, "r1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// routerProgram is what is observed of a router's program, and what is wanted.
func (c *Conn) routerProgram(t *testing.T) (fingerprint, want string) {
	t.Helper()
	p, _ := observe(t, c)[plan.Program{NS: "r1"}.Key()].(plan.Program)
	want, err := Fingerprint(t.Context(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	return p.Fingerprint, want
}

// guardsAreMissing checks that the table of guards is not there, and the other is
// what a router's is to be.
func guardsAreMissing(t *testing.T, c *Conn, m *machine) {
	t.Helper()
	if got, want := c.routerProgram(t); got != want || got == mustFingerprint(t) {
		t.Errorf("fingerprint %s, want %s, of a host %s", got, want, mustFingerprint(t))
	}
	if list := m.list(t); strings.Contains(list, "table bridge") || !strings.Contains(list, "table inet kvmnet") {
		t.Errorf("the namespace has\n%s", list)
	}
}

func TestNSRoutersHaveNoTableOfGuards(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "r1")
	c := routerConn(t, m)
	lab := plan.Element{NS: "r1", Map: "bridges", ID: "lab0"}
	apply(t, c, plan.Add, plan.Program{NS: "r1"}, lab)
	guardsAreMissing(t, c, m)
	apply(t, c, plan.Del, plan.Program{NS: "r1"})
	if list := m.list(t); list != "" {
		t.Errorf("of the program is left\n%s", list)
	}
	program, _, _ := compiled.get(t.Context(), "r1")
	r := replacement{program: program, state: plan.State{}, want: adds(lab)}
	if err := c.fresh(t.Context(), r, false); err != nil { // by text
		t.Fatal(err)
	}
	guardsAreMissing(t, c, m)
}

func TestNSARouterOfAnOlderVersionLosesItsTableOfGuardsAndNoPacket(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"nat0", "nat", []string{"nat"}})
	apply(t, l.conn, plan.Add, el("hosts", "vnet7", ""))
	conn, err := l.machines["nat"].dial("tcp", netip.Addr{}, l.machines["outside"].v4, yes)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exchange(t, conn)

	c := routerConn(t, l.host)
	if got, want := c.routerProgram(t); got == want {
		t.Fatal("the fingerprint does not show the table of guards")
	}
	if _, there := observe(t, c)[plan.Element{NS: "r1", Map: "hosts", ID: "vnet7"}.Key()]; there {
		t.Error("a router is seen to have rows of guards")
	}
	apply(t, c, plan.Set, plan.Program{NS: "r1"})
	guardsAreMissing(t, c, l.host)
	exchange(t, conn)
	if _, there := observe(t, c)[plan.Element{NS: "r1", Map: "bridges", ID: "nat0"}.Key()]; !there {
		t.Error("the router has lost its rows")
	}
}

func TestNSATableOfGuardsAloneIsReplacedOnRouters(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "r1")
	c := routerConn(t, m)
	m.nft(script("", nil, nil) + "delete table inet kvmnet\n")
	apply(t, c, plan.Set, plan.Program{NS: "r1"})
	guardsAreMissing(t, c, m)
}
