package nft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// Hits reads how many connections each element of the forwards, floating
// addresses and masqueraded networks has begun. What counts is the first packet
// of a connection.
func (c *Conn) Hits(ctx context.Context) (map[plan.Key]Counter, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	hits := map[plan.Key]Counter{}
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		if !shapes[name].counted {
			continue
		}
		rows, err := c.rows(shapes[name].family(), name)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, fmt.Errorf("read hits of %s: %w", name, err)
		}
		for _, r := range rows {
			e, err := c.element(name, r)
			if err != nil {
				return nil, fmt.Errorf("read hits of %s: %w", name, err)
			}
			hits[e.Key()] = counted(r.nested(unix.NFTA_SET_ELEM_EXPR))
		}
	}
	return hits, nil
}

// counted reads a counter among the expressions of a rule or an element.
func counted(e attributes) Counter {
	if e.text(unix.NFTA_EXPR_NAME) != "counter" {
		return Counter{}
	}
	data := e.nested(unix.NFTA_EXPR_DATA)
	return Counter{Packets: data.uint64(unix.NFTA_COUNTER_PACKETS), Bytes: data.uint64(unix.NFTA_COUNTER_BYTES)}
}

// RuleCounters reads what the rules of the chains have counted that are made for
// one object, by their comments, such as "policy/web allow 0". Rules with the
// same comment count together.
func (c *Conn) RuleCounters(ctx context.Context) ([]Counter, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	rules, err := c.get(unix.NFPROTO_INET, unix.NFT_MSG_GETRULE, netlink.Dump, attr{unix.NFTA_RULE_TABLE, Table})
	if err = errors.Join(err, ctx.Err()); err != nil {
		return nil, fmt.Errorf("read counters of rules: %w", err)
	}
	sums := map[string]Counter{}
	for _, r := range rules {
		name := comment(r)
		if name == "" || r.text(unix.NFTA_RULE_TABLE) != Table || !generated(r.text(unix.NFTA_RULE_CHAIN)) {
			continue
		}
		sum := sums[name]
		sum.Name = name
		for _, e := range r.nested(unix.NFTA_RULE_EXPRESSIONS).all() {
			n := counted(e)
			sum.Packets, sum.Bytes = sum.Packets+n.Packets, sum.Bytes+n.Bytes
		}
		sums[name] = sum
	}
	return slices.SortedFunc(maps.Values(sums), func(a, b Counter) int { return cmp.Compare(a.Name, b.Name) }), nil
}
