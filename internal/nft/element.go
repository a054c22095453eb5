package nft

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// row checks an element of plan against the program and puts it into the kernel's
// form. An element that is to be deleted is its key alone.
func row(e plan.Element, verb plan.Verb) (attributes, error) {
	s, ok := shapes[e.Map]
	if !ok {
		return nil, fmt.Errorf("the program has no map or set %q", e.Map)
	}
	a, err := s.encodeKey(e.ID)
	if err != nil || verb == plan.Del {
		return a, err
	}
	value, err := s.encodeValue(e.Value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Map, err)
	}
	if value != nil {
		a = a.putNested(s.valueAttr(), value)
	}
	return a, nil
}

// valueAttr is where the value of an element is.
func (s shape) valueAttr() int {
	if s.rate {
		return unix.NFTA_SET_ELEM_EXPR
	}
	return unix.NFTA_SET_ELEM_DATA
}

func (s shape) encodeKey(id string) (attributes, error) {
	low, high, err := encode(s.key, id)
	if err != nil {
		return nil, err
	}
	a := attributes{}.putNested(unix.NFTA_SET_ELEM_KEY, attributes{}.put(unix.NFTA_DATA_VALUE, low))
	if s.interval {
		return a.putNested(elemKeyEnd, attributes{}.put(unix.NFTA_DATA_VALUE, high)), nil
	}
	if string(low) != string(high) {
		return nil, fmt.Errorf("%q is a range, and this map takes single ports", id)
	}
	return a, nil
}

func (s shape) encodeValue(value string) (attributes, error) {
	switch {
	case s.verdict:
		chain, ok := strings.CutPrefix(value, "jump ")
		if !ok || !hasChain(chain) && !generated(chain) {
			return nil, fmt.Errorf("%q is not a jump to a chain of the program", value)
		}
		jump := attributes{}.putUint32(unix.NFTA_VERDICT_CODE, verdictJump).putText(unix.NFTA_VERDICT_CHAIN, chain)
		return attributes{}.putNested(unix.NFTA_DATA_VERDICT, jump), nil
	case s.rate:
		return encodeRate(value)
	case s.value == nil && value != "":
		return nil, fmt.Errorf("takes no value, got %q", value)
	case s.value == nil:
		return nil, nil
	}
	low, high, err := encode(s.value, value)
	if err == nil && string(low) != string(high) {
		err = fmt.Errorf("%q: a value is no range", value)
	}
	return attributes{}.put(unix.NFTA_DATA_VALUE, low), err
}

func (s shape) decodeValue(data attributes) (string, error) {
	switch {
	case s.verdict:
		v := data.nested(unix.NFTA_DATA_VERDICT)
		return verdict(v.uint32(unix.NFTA_VERDICT_CODE), v.text(unix.NFTA_VERDICT_CHAIN)), nil
	case s.rate:
		return decodeRate(data), nil
	case s.value == nil:
		return "", nil
	}
	return decode(s.value, data.bytes(unix.NFTA_DATA_VALUE), nil)
}

// Verdicts as the kernel writes them, in 32 bits.
const (
	verdictDrop   = 0
	verdictAccept = 1
	verdictJump   = 1<<32 + unix.NFT_JUMP
	verdictGoto   = 1<<32 + unix.NFT_GOTO
)

// verdict prints a kernel verdict in nft's words.
func verdict(code uint32, chain string) string {
	switch code {
	case verdictJump:
		return "jump " + chain
	case verdictGoto:
		return "goto " + chain
	case verdictAccept:
		return "accept"
	case verdictDrop:
		return "drop"
	}
	return fmt.Sprintf("verdict %d", int32(code))
}

// changes are elements by the map they are in.
type changes map[string][]attributes

// rowsOf tells which elements go and which come. A value is changed by deleting
// the key and adding it.
func rowsOf(ops []plan.Op) (gone, come changes, err error) {
	gone, come = changes{}, changes{}
	for _, op := range ops {
		e, ok := op.Object.(plan.Element)
		if !ok {
			continue
		}
		if key, err := row(e, plan.Del); err == nil && op.Verb != plan.Add {
			gone[e.Map] = append(gone[e.Map], key)
		}
		if op.Verb == plan.Del {
			continue
		}
		whole, err := row(e, op.Verb)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", op, err)
		}
		come[e.Map] = append(come[e.Map], whole)
	}
	return gone, come, nil
}

// change deletes or adds elements, a message a map.
func (t *transaction) change(verb int, rows changes) {
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		t.family = shapes[name].family()
		t.rows(verb, name, 0, rows[name])
	}
}

// most is how many bytes of elements go into one message. An attribute's length
// has 16 bits.
const most = 1 << 15

// rows adds one change of a set's elements. A set that is made in the same
// transaction is known by its number, if it has no name yet.
func (t *transaction) rows(verb int, set string, number uint32, rows []attributes) {
	list, n := attributes{}, 0
	flush := func() {
		head := attributes{}.putText(unix.NFTA_SET_ELEM_LIST_TABLE, Table).putText(unix.NFTA_SET_ELEM_LIST_SET, set)
		if number != 0 {
			head = head.putUint32(unix.NFTA_SET_ELEM_LIST_SET_ID, number)
		}
		t.make(verb, head.putNested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, list))
		list, n = nil, 0
	}
	for _, r := range rows {
		list, n = list.putNested(listElem, r), n+1
		if len(list) > most {
			flush()
		}
	}
	if n > 0 {
		flush()
	}
}

const listElem = 1 // NFTA_LIST_ELEM
