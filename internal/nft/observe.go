package nft

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// attempts bounds how often a read is repeated because somebody changed the
// ruleset meanwhile, and a change because its elements came or went meanwhile.
const attempts = 20

// Observe returns our Program, if the table exists, and every Element of its
// maps and sets. All that is in our table is ours: each element has the owner
// "host", since the kernel does not store another. As long as nobody changes any
// rule in the namespace it answers from memory.
func (c *Conn) Observe(ctx context.Context) (plan.State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	gen, err := c.generation()
	if err != nil {
		return nil, fmt.Errorf("observe nftables: %w", err)
	}
	if c.cache == nil || gen != c.gen {
		c.cache = nil
		_, state, gen, err := c.read(ctx)
		if err != nil {
			return nil, fmt.Errorf("observe nftables: %w", err)
		}
		c.cache, c.gen = state, gen
	}
	return maps.Clone(c.cache), nil
}

// read dumps the table between two looks at the generation, so that the state is
// one that existed.
func (c *Conn) read(ctx context.Context) (table, plan.State, uint32, error) {
	before, err := c.generation()
	for range attempts {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return table{}, nil, 0, err
		}
		t, state, dumped := c.readOnce()
		after, err := c.generation()
		if err != nil {
			return table{}, nil, 0, err
		}
		if before == after {
			return t, state, after, dumped
		}
		before = after
	}
	return table{}, nil, 0, fmt.Errorf("the ruleset changed during each of %d reads", attempts)
}

func (c *Conn) readOnce() (table, plan.State, error) {
	state := plan.State{}
	t, err := c.table()
	if errors.Is(err, unix.ENOENT) {
		return table{}, state, nil
	}
	if err != nil {
		return table{}, nil, err
	}
	state.Add(plan.Program{NS: c.name, Fingerprint: t.fingerprint()})
	for _, set := range t.sets {
		elements, err := c.elements(set)
		if err != nil {
			return table{}, nil, fmt.Errorf("read elements of %s: %w", set.text(unix.NFTA_SET_NAME), err)
		}
		for _, e := range elements {
			state.Add(e)
		}
	}
	return t, state, nil
}

// elements reads one of the program's maps or sets. One that the program does
// not have, or has in another shape, yields nothing: it changes the fingerprint,
// and goes when the program is replaced.
func (c *Conn) elements(set attributes) ([]plan.Element, error) {
	name := set.text(unix.NFTA_SET_NAME)
	s, ok := shapes[name]
	if !ok || !s.matches(set) {
		return nil, nil
	}
	raw, err := c.rawElements(name)
	if err != nil {
		return nil, err
	}
	elements := make([]plan.Element, 0, len(raw))
	for _, r := range raw {
		e := plan.Element{Mark: "host", NS: c.name, Map: name}
		if e.ID, err = s.key.decode(r.key()); err != nil {
			return nil, err
		}
		if s.verdict {
			e.Value = r.verdict()
		}
		elements = append(elements, e)
	}
	return elements, nil
}

func (s shape) matches(set attributes) bool {
	isMap := set.uint32(unix.NFTA_SET_FLAGS)&unix.NFT_SET_MAP != 0
	return int(set.uint32(unix.NFTA_SET_KEY_LEN)) == s.key.size() && isMap == s.verdict
}

// rawElement are the attributes NFTA_SET_ELEM_* of one element.
type rawElement attributes

func (c *Conn) rawElements(set string) ([]rawElement, error) {
	answers, err := c.get(unix.NFT_MSG_GETSETELEM, netlink.Dump,
		attr{unix.NFTA_SET_ELEM_LIST_TABLE, Table}, attr{unix.NFTA_SET_ELEM_LIST_SET, set})
	if err != nil {
		return nil, err
	}
	var elements []rawElement
	for _, answer := range answers {
		for _, e := range answer.nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS).all() {
			elements = append(elements, e)
		}
	}
	return elements, nil
}

func (r rawElement) key() []byte {
	return attributes(r).nested(unix.NFTA_SET_ELEM_KEY).bytes(unix.NFTA_DATA_VALUE)
}

func (r rawElement) verdict() string {
	v := attributes(r).nested(unix.NFTA_SET_ELEM_DATA).nested(unix.NFTA_DATA_VERDICT)
	return verdict(int32(v.uint32(unix.NFTA_VERDICT_CODE)), v.text(unix.NFTA_VERDICT_CHAIN))
}
