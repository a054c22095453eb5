package nft

import "golang.org/x/sys/unix"

// class is one kind of the objects of a table, as mending it needs it.
type class struct {
	objects     func(table) []attributes
	table, name int // attributes
	kind        func(attributes) string
	gone        int // message that deletes one
}

// classes are in the order in which objects are deleted: maps hold chains in
// their verdicts, and rules name counters.
var classes = []class{
	{func(t table) []attributes { return t.sets }, unix.NFTA_SET_TABLE, unix.NFTA_SET_NAME, kindOfSet, unix.NFT_MSG_DELSET},
	{func(t table) []attributes { return t.chains }, unix.NFTA_CHAIN_TABLE, unix.NFTA_CHAIN_NAME, kindOfChain, unix.NFT_MSG_DELCHAIN},
	{func(t table) []attributes { return t.objects }, unix.NFTA_OBJ_TABLE, unix.NFTA_OBJ_NAME, kindOfObject, unix.NFT_MSG_DELOBJ},
}

func kindOfObject(a attributes) string {
	return string(a.keep(unix.NFTA_OBJ_TYPE))
}

// mendable reports whether the tables that are there can become the program
// without being made anew: a chain cannot move to another hook, nor a map take
// another type.
func (all tables) mendable(program tables) bool {
	for i := range all {
		if !all[i].mendable(program[i]) {
			return false
		}
	}
	return true
}

func (t table) mendable(program table) bool {
	for _, f := range classes {
		kinds := map[string]string{}
		for _, o := range f.objects(program) {
			kinds[o.text(f.name)] = f.kind(o)
		}
		for _, o := range f.objects(t) {
			if kind, ok := kinds[o.text(f.name)]; ok && kind != f.kind(o) {
				return false
			}
		}
	}
	return true
}

// clear takes out of a table that is there what must make room for the program:
// the rules of all chains but the generated ones, and what the program does not
// have: of a table that has no place here, everything.
func (t *transaction) clear(old, program table) {
	if program.self == nil && old.self != nil {
		t.drop(old.family)
		return
	}
	t.family = old.family
	for _, ch := range old.chains {
		if !isGenerated(ch) {
			t.empty(ch.text(unix.NFTA_CHAIN_NAME))
		}
	}
	for _, f := range classes {
		wanted := map[string]bool{}
		for _, o := range f.objects(program) {
			wanted[o.text(f.name)] = true
		}
		for _, o := range f.objects(old) {
			kept := f.gone == unix.NFT_MSG_DELCHAIN && isGenerated(o)
			if !wanted[o.text(f.name)] && !kept {
				t.do(f.gone, f.identity(o))
			}
		}
	}
}

// identity names an object in a deletion. Objects are told apart by type, too.
func (f class) identity(o attributes) attributes {
	if f.gone == unix.NFT_MSG_DELOBJ {
		return o.keep(f.table, f.name, unix.NFTA_OBJ_TYPE)
	}
	return o.keep(f.table, f.name)
}
