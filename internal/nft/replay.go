package nft

import "golang.org/x/sys/unix"

// What the kernel lists of a table can be handed to it again, in another
// namespace too, 20 times faster than by text. Only the attributes that describe
// an object are handed over, not those that tell of its life.

// listed is the program as the kernel lists it.
type listed struct {
	tables
	made  transaction // makes it, but for the elements of its named maps
	print string      // its fingerprint
}

func list(program tables) listed {
	t := begin()
	for _, tab := range program {
		if t.family = tab.family; tab.self != nil {
			t.whole(tab)
		}
	}
	return listed{program, t, program.fingerprint()}
}

// all makes the program. It comes before anything that makes anonymous sets.
func (t *transaction) all(program listed) {
	t.messages = append(t.messages, program.made.messages...)
	t.sets = program.made.sets
}

func (t *transaction) whole(tab table) {
	t.make(unix.NFT_MSG_NEWTABLE, attributes{}.putText(unix.NFTA_TABLE_NAME, Table).putUint32(unix.NFTA_TABLE_FLAGS, 0))
	for _, o := range tab.objects {
		t.make(unix.NFT_MSG_NEWOBJ, o.keep(unix.NFTA_OBJ_TABLE, unix.NFTA_OBJ_NAME, unix.NFTA_OBJ_TYPE, unix.NFTA_OBJ_DATA))
	}
	for _, ch := range tab.chains {
		t.make(unix.NFT_MSG_NEWCHAIN, ch.keep(unix.NFTA_CHAIN_TABLE, unix.NFTA_CHAIN_NAME, unix.NFTA_CHAIN_HOOK,
			unix.NFTA_CHAIN_POLICY, unix.NFTA_CHAIN_TYPE, chainUserdata))
	}
	for _, set := range tab.sets {
		t.make(unix.NFT_MSG_NEWSET, t.numbered(attributes{}.putText(unix.NFTA_SET_NAME, set.text(unix.NFTA_SET_NAME)), set))
	}
	bodies := tab.bodies()
	for _, ch := range tab.chains {
		name := ch.text(unix.NFTA_CHAIN_NAME)
		t.rules(name, bodies[name], nil)
	}
}

// numbered describes a set that is made, with a number of its own. The size of one
// that packets fill is the kernel's own, 65,535: told to, it would make room for so
// many at once, a megabyte a set in each namespace.
func (t *transaction) numbered(name attributes, set attributes) attributes {
	t.sets++
	if set.uint32(unix.NFTA_SET_FLAGS)&unix.NFT_SET_EVAL != 0 {
		set = set.without(unix.NFTA_SET_DESC)
	}
	return append(name, set.keep(unix.NFTA_SET_TABLE, unix.NFTA_SET_FLAGS, unix.NFTA_SET_KEY_TYPE, unix.NFTA_SET_KEY_LEN,
		unix.NFTA_SET_DATA_TYPE, unix.NFTA_SET_DATA_LEN, unix.NFTA_SET_POLICY, unix.NFTA_SET_DESC, unix.NFTA_SET_TIMEOUT,
		unix.NFTA_SET_GC_INTERVAL, unix.NFTA_SET_USERDATA, unix.NFTA_SET_OBJ_TYPE, setExpr, setExpressions)...).
		putUint32(unix.NFTA_SET_ID, t.sets)
}

// empty removes the rules of a chain.
func (t *transaction) empty(chain string) {
	t.do(unix.NFT_MSG_DELRULE, attributes{}.putText(unix.NFTA_RULE_TABLE, Table).putText(unix.NFTA_RULE_CHAIN, chain))
}

// rules adds the rules of a chain. A note is written beside the first.
func (t *transaction) rules(chain string, b body, note []byte) {
	for i, r := range b.rules {
		userdata := r.bytes(unix.NFTA_RULE_USERDATA)
		if i == 0 && note != nil {
			userdata = withRecord(userdata, noteType, note)
		}
		a := attributes{}.putText(unix.NFTA_RULE_TABLE, Table).putText(unix.NFTA_RULE_CHAIN, chain).
			putNested(unix.NFTA_RULE_EXPRESSIONS, t.expressions(r.nested(unix.NFTA_RULE_EXPRESSIONS), b.sets))
		if len(userdata) > 0 {
			a = a.put(unix.NFTA_RULE_USERDATA, userdata)
		}
		t.make(unix.NFT_MSG_NEWRULE, a)
	}
}

// expressions returns the expressions of a rule after having made the sets that
// are part of it.
func (t *transaction) expressions(list attributes, sets map[string]anonymous) (made attributes) {
	for _, item := range list.all() {
		e := attributes(item)
		data := e.nested(unix.NFTA_EXPR_DATA)
		set, ok := sets[data.text(unix.NFTA_LOOKUP_SET)]
		if ok && e.text(unix.NFTA_EXPR_NAME) == "lookup" {
			name, number := t.anonymous(set)
			data = data.keep(unix.NFTA_LOOKUP_SREG, unix.NFTA_LOOKUP_DREG, unix.NFTA_LOOKUP_FLAGS).
				putText(unix.NFTA_LOOKUP_SET, name).putUint32(unix.NFTA_LOOKUP_SET_ID, number)
			e = attributes{}.putText(unix.NFTA_EXPR_NAME, "lookup").putNested(unix.NFTA_EXPR_DATA, data)
		}
		made = made.putNested(listElem, e)
	}
	return made
}

// anonymous makes a set. The kernel names it.
func (t *transaction) anonymous(set anonymous) (name string, number uint32) {
	name = "__set%d"
	if set.self.uint32(unix.NFTA_SET_FLAGS)&unix.NFT_SET_MAP != 0 {
		name = "__map%d"
	}
	t.make(unix.NFT_MSG_NEWSET, t.numbered(attributes{}.putText(unix.NFTA_SET_NAME, name), set.self))
	t.rows(unix.NFT_MSG_NEWSETELEM, name, t.sets, set.rows)
	return name, t.sets
}

// drop removes a table with all that is in it.
func (t *transaction) drop(family byte) {
	t.family = family
	t.do(unix.NFT_MSG_DELTABLE, attributes{}.putText(unix.NFTA_TABLE_NAME, Table))
}
