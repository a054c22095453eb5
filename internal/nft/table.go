package nft

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// families are those of our tables, of which there is one each: the main one, and
// the one of guards on bridged frames.
var families = [...]byte{unix.NFPROTO_INET, unix.NFPROTO_BRIDGE}

// tables are both, in the order of families. One that is not there has no self.
type tables [len(families)]table

// table is what the kernel holds of a table of ours, elements of named maps apart.
type table struct {
	family                       byte
	self                         attributes
	chains, rules, sets, objects []attributes
	anonymous                    map[string]anonymous
}

// anonymous is a set that is part of a rule.
type anonymous struct {
	self attributes
	rows []attributes // in the order of their keys
}

// tables reads our tables.
func (c *Conn) tables() (all tables, err error) {
	for i, family := range families {
		all[i], err = c.table(family)
		if err != nil {
			return all, fmt.Errorf("read table %s: %w", named(family), err)
		}
	}
	return all, nil
}

// unguarded are the tables without that of guards.
func (all tables) unguarded() tables {
	for i, t := range all {
		if t.family == unix.NFPROTO_BRIDGE {
			all[i] = table{family: t.family}
		}
	}
	return all
}

// named is what nft calls the table of a family.
func named(family byte) string {
	if family == unix.NFPROTO_BRIDGE {
		return "bridge " + Table
	}
	return "inet " + Table
}

// there reports whether any of the tables is.
func (all tables) there() bool {
	return slices.ContainsFunc(all[:], func(t table) bool { return t.self != nil })
}

func (c *Conn) table(family byte) (table, error) {
	t := table{family: family, anonymous: map[string]anonymous{}}
	self, err := c.get(family, unix.NFT_MSG_GETTABLE, 0, attr{unix.NFTA_TABLE_NAME, Table})
	if errors.Is(err, unix.ENOENT) {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	t.self = self[0]
	for _, part := range []struct {
		into      *[]attributes
		message   int
		tableAttr int
	}{
		{&t.chains, unix.NFT_MSG_GETCHAIN, unix.NFTA_CHAIN_TABLE},
		{&t.rules, unix.NFT_MSG_GETRULE, unix.NFTA_RULE_TABLE},
		{&t.sets, unix.NFT_MSG_GETSET, unix.NFTA_SET_TABLE},
		{&t.objects, unix.NFT_MSG_GETOBJ, unix.NFTA_OBJ_TABLE},
	} {
		found, err := c.get(family, part.message, netlink.Dump, attr{part.tableAttr, Table})
		if err != nil {
			return t, err
		}
		// The kernel's chain dump knows the family only.
		*part.into = slices.DeleteFunc(found, func(a attributes) bool { return a.text(part.tableAttr) != Table })
	}
	return t, c.readAnonymous(&t)
}

// readAnonymous moves the anonymous sets away from the named ones.
func (c *Conn) readAnonymous(t *table) error {
	var named []attributes
	for _, set := range t.sets {
		if set.uint32(unix.NFTA_SET_FLAGS)&unix.NFT_SET_ANONYMOUS == 0 {
			named = append(named, set)
			continue
		}
		name := set.text(unix.NFTA_SET_NAME)
		rows, err := c.rows(t.family, name)
		if err != nil {
			return fmt.Errorf("read elements of %s: %w", name, err)
		}
		// The kernel lists a hash in the order of its buckets, and a tree backwards.
		slices.SortFunc(rows, compareRows)
		t.anonymous[name] = anonymous{set, rows}
	}
	t.sets = named
	return nil
}

// compareRows orders elements by their keys. Where one range of an interval set
// ends and another begins, the end comes first.
func compareRows(a, b attributes) int {
	if c := bytes.Compare(rowKey(a), rowKey(b)); c != 0 {
		return c
	}
	return int(b.uint32(unix.NFTA_SET_ELEM_FLAGS)) - int(a.uint32(unix.NFTA_SET_ELEM_FLAGS))
}

// rows reads the elements of a set: attributes NFTA_SET_ELEM_*.
func (c *Conn) rows(family byte, set string) ([]attributes, error) {
	answers, err := c.get(family, unix.NFT_MSG_GETSETELEM, netlink.Dump,
		attr{unix.NFTA_SET_ELEM_LIST_TABLE, Table}, attr{unix.NFTA_SET_ELEM_LIST_SET, set})
	if err != nil {
		return nil, err
	}
	var rows []attributes
	for _, answer := range answers {
		for _, e := range answer.nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS).all() {
			rows = append(rows, e)
		}
	}
	return rows, nil
}

// body is the content of a chain: its rules, and the sets that are part of them.
type body struct {
	rules []attributes
	sets  map[string]anonymous
}

// bodies are the contents of all chains by name.
func (t table) bodies() map[string]body {
	all := map[string]body{}
	for _, r := range t.rules {
		name := r.text(unix.NFTA_RULE_CHAIN)
		b := all[name]
		all[name] = body{append(b.rules, r), t.anonymous}
	}
	return all
}

// lines write the rules as the kernel's own bytes, without what counters have
// counted and without the names of anonymous sets, which depend on what else was
// loaded.
func (b body) lines() []string {
	var lines []string
	for _, r := range b.rules {
		line := "rule"
		for _, item := range r.nested(unix.NFTA_RULE_EXPRESSIONS).all() {
			line += " " + b.expression(item)
		}
		lines = append(lines, line)
	}
	return lines
}

func (b body) expression(e attributes) string {
	word, data := e.text(unix.NFTA_EXPR_NAME), e.nested(unix.NFTA_EXPR_DATA)
	switch word {
	case "counter", "quota", "last":
		return word // what it holds is what passed
	case "lookup":
		set, ok := b.sets[data.text(unix.NFTA_LOOKUP_SET)]
		if ok {
			return fmt.Sprintf("%s:%s:%x", word, set, data.keep(unix.NFTA_LOOKUP_SREG, unix.NFTA_LOOKUP_DREG, unix.NFTA_LOOKUP_FLAGS))
		}
	}
	return fmt.Sprintf("%s:%x", word, data)
}

func (a anonymous) String() string {
	s := "{" + kindOfSet(a.self)
	for _, r := range a.rows {
		s += fmt.Sprintf(" %x", r)
	}
	return s + "}"
}

func kindOfSet(a attributes) string {
	return fmt.Sprintf("flags %d key %d %d data %d %d",
		a.uint32(unix.NFTA_SET_FLAGS), a.uint32(unix.NFTA_SET_KEY_TYPE), a.uint32(unix.NFTA_SET_KEY_LEN),
		a.uint32(unix.NFTA_SET_DATA_TYPE), a.uint32(unix.NFTA_SET_DATA_LEN))
}

// kindOfChain tells on which hook a chain is.
func kindOfChain(a attributes) string {
	return fmt.Sprintf("type %s hook %x", a.text(unix.NFTA_CHAIN_TYPE), a.bytes(unix.NFTA_CHAIN_HOOK))
}
