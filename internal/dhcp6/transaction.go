package dhcp6

import (
	"net/netip"
	"sync/atomic"
	"time"

	"kvmnet/internal/lease"
	"kvmnet/internal/spec"
)

// table is what a server uses of a lease.Table.
type table interface {
	Find(lease.Client) (lease.Lease, bool)
	At(netip.Addr) (lease.Lease, bool)
	Propose(lease.Client, lease.Want) (netip.Addr, error)
	Hold(lease.Client, netip.Addr, time.Duration) error
	Bind(c lease.Client, a netip.Addr, life spec.Seconds, done func(error)) (lease.Lease, error)
	Release(c lease.Client, a netip.Addr, done func(error)) bool
	Decline(c lease.Client, a netip.Addr, quarantine time.Duration, done func(error))
}

// transaction are the changes of the book that one answer stands for. Its changes
// are in memory at once; commit tells when all of them are on disk.
type transaction struct {
	table table
	left  atomic.Int32 // changes that are not on disk yet
	fail  atomic.Pointer[error]
	then  func(error)
	given []grant
}

// grant is an address that a client has by a transaction.
type grant struct {
	client lease.Client
	addr   netip.Addr
}

// begin makes a transaction that waits for its commit.
func begin(t table) *transaction {
	x := &transaction{table: t}
	x.left.Store(1)
	return x
}

// commit lets then run once all changes are on disk, or one of them failed; where
// there are none, now.
func (t *transaction) commit(then func(error)) {
	t.then = then
	t.done(nil)
}

func (t *transaction) done(err error) {
	if err != nil {
		t.fail.CompareAndSwap(nil, &err)
	}
	if t.left.Add(-1) > 0 {
		return
	}
	if first := t.fail.Load(); first != nil {
		err = *first
	}
	t.then(err)
}

// bind gives an address to a client. After an error there is no change to wait for.
func (t *transaction) bind(c lease.Client, a netip.Addr, life spec.Seconds) error {
	t.left.Add(1)
	_, err := t.table.Bind(c, a, life, t.done)
	if err != nil {
		t.left.Add(-1)
		return err
	}
	t.given = append(t.given, grant{c, a})
	return nil
}

// release ends a lease, and reports whether there was one.
func (t *transaction) release(c lease.Client, a netip.Addr) bool {
	t.left.Add(1)
	ok := t.table.Release(c, a, t.done)
	if !ok {
		t.left.Add(-1)
	}
	return ok
}

// decline takes an address out of use for a while.
func (t *transaction) decline(c lease.Client, a netip.Addr, quarantine time.Duration) {
	t.left.Add(1)
	t.table.Decline(c, a, quarantine, t.done)
}
