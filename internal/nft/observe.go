package nft

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// attempts bounds how often a read is repeated because somebody changed the
// ruleset meanwhile, and a change because its elements came or went meanwhile.
const attempts = 20

// Observe returns our Program, if the table exists, every Chain that is made for
// one object, every Element of the maps and sets, and every Redirect. All that is in
// our tables is ours: each element has the owner "host", since the kernel does not store another. As long as nobody changes any
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
		if c.led, err = c.readDetours(); err != nil {
			return nil, fmt.Errorf("observe nftables: %w", err)
		}
		c.cache, c.gen = state, gen
	}
	state, err := c.redirects(c.led)
	maps.Copy(state, c.cache)
	return state, err
}

// read dumps the table between two looks at the generation, so that the state is
// one that existed.
func (c *Conn) read(ctx context.Context) (tables, plan.State, uint32, error) {
	before, err := c.generation()
	for range attempts {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return tables{}, nil, 0, err
		}
		t, state, dumped := c.readOnce()
		after, err := c.generation()
		if err != nil {
			return tables{}, nil, 0, err
		}
		if before == after {
			return t, state, after, dumped
		}
		before = after
	}
	return tables{}, nil, 0, fmt.Errorf("the ruleset changed during each of %d reads", attempts)
}

func (c *Conn) readOnce() (tables, plan.State, error) {
	state := plan.State{}
	all, err := c.tables()
	if err != nil || !all.there() {
		return all, state, err
	}
	state.Add(plan.Program{NS: c.name, Fingerprint: all.fingerprint()})
	for _, chain := range all[0].generated(c.name) {
		state.Add(chain)
	}
	for _, t := range all {
		for _, set := range t.sets {
			elements, err := c.elements(t.family, set)
			if err != nil {
				return all, nil, fmt.Errorf("read elements of %s: %w", set.text(unix.NFTA_SET_NAME), err)
			}
			for _, e := range elements {
				state.Add(e)
			}
		}
	}
	return all, state, nil
}

// elements reads one of the program's maps or sets. One that the program does
// not have here, or has in another shape, yields nothing: it changes the fingerprint,
// and goes when the program is replaced.
func (c *Conn) elements(family byte, set attributes) ([]plan.Element, error) {
	name := set.text(unix.NFTA_SET_NAME)
	s, ok := shapes[name]
	if !ok || s.guard && !guards(c.name) || s.family() != family || !s.matches(set) {
		return nil, nil
	}
	rows, err := c.rows(family, name)
	if err != nil {
		return nil, err
	}
	elements := make([]plan.Element, 0, len(rows))
	for _, r := range rows {
		e, err := c.element(name, r)
		if err != nil {
			return nil, err
		}
		elements = append(elements, e)
	}
	return elements, nil
}

func (c *Conn) element(set string, row attributes) (plan.Element, error) {
	e := plan.Element{Mark: "host", NS: c.name, Map: set}
	s, err := shapes[set], error(nil)
	if e.ID, err = decode(s.key, rowKey(row), row.nested(elemKeyEnd).bytes(unix.NFTA_DATA_VALUE)); err != nil {
		return e, err
	}
	e.Value, err = s.decodeValue(row.nested(s.valueAttr()))
	return e, err
}

func rowKey(row attributes) []byte {
	return row.nested(unix.NFTA_SET_ELEM_KEY).bytes(unix.NFTA_DATA_VALUE)
}

// matches reports whether the kernel's set is what the program declares.
func (s shape) matches(set attributes) bool {
	flags := set.uint32(unix.NFTA_SET_FLAGS)
	return int(set.uint32(unix.NFTA_SET_KEY_LEN)) == size(s.key) &&
		(flags&unix.NFT_SET_MAP != 0) == s.isMap() &&
		(flags&unix.NFT_SET_INTERVAL != 0) == s.interval &&
		(s.value == nil || int(set.uint32(unix.NFTA_SET_DATA_LEN)) == size(s.value)) &&
		(set.bytes(setExpr) != nil) == (s.counted || s.rate)
}
