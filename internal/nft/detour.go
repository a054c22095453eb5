package nft

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// What a bridge receives makes a detour over an ifb where it is limited, and what it
// sends over another: a chain a bridge and way, in a table of its own, on the hook
// where frames come in or go out. The ifb puts them back behind that hook. tc's mirred
// would do as well, but it takes the connection off a packet (nf_reset_ct), and where
// br_netfilter has shown it to the other hooks none of them puts it on again; and tc's
// filters come with a qdisc, which stops the link for an instant.
//
//	table netdev kvmnet {
//		chain detour_6c616230 {
//			type filter hook ingress device "lab0" priority 0;
//			fwd to "ifb_lab" comment "lab0";
//		}
//		chain sent_6c616230 {
//			type filter hook egress device "lab0" priority 0;
//			fwd to "ifbin_lab" comment "lab0";
//		}
//	}

var native = binary.NativeEndian

// detour is a chain as the kernel holds it: 0 leads nowhere.
type detour struct {
	link  string
	index int
	loose bool // it hangs on no hook
}

// detours are the chains by their names.
type detours map[string]detour

// readDetours dumps the table. A chain in which there is anything else leads nowhere,
// and so is set right. So is one that hangs on no hook: Linux 6.13 to 6.15 keep a
// chain whose link has gone, and do not hang it on the next one of that name. Earlier
// ones delete it with the link, later ones hang it on again.
func (c *Conn) readDetours() (detours, error) {
	chains, err := c.get(unix.NFPROTO_NETDEV, unix.NFT_MSG_GETCHAIN, netlink.Dump)
	if err != nil {
		return nil, fmt.Errorf("read table netdev %s: %w", Table, err)
	}
	list := detours{}
	for _, ch := range chains {
		if ch.text(unix.NFTA_CHAIN_TABLE) == Table {
			device := ch.nested(unix.NFTA_CHAIN_HOOK).text(unix.NFTA_HOOK_DEV)
			list[ch.text(unix.NFTA_CHAIN_NAME)] = detour{loose: device == ""}
		}
	}
	if len(list) == 0 {
		return list, nil
	}
	rules, err := c.get(unix.NFPROTO_NETDEV, unix.NFT_MSG_GETRULE, netlink.Dump, attr{unix.NFTA_RULE_TABLE, Table})
	if err != nil {
		return nil, fmt.Errorf("read table netdev %s: %w", Table, err)
	}
	for _, r := range rules {
		name := r.text(unix.NFTA_RULE_CHAIN)
		d := detour{comment(r), leadsTo(r), list[name].loose}
		if list[name].link != "" || d.loose { // there are two
			d.index = 0
		}
		if r.text(unix.NFTA_RULE_TABLE) == Table {
			list[name] = d
		}
	}
	return list, nil
}

// leadsTo finds the number of the link to which a rule sends frames, all of them.
func leadsTo(rule attributes) int {
	index := 0
	var words []string
	for _, item := range rule.nested(unix.NFTA_RULE_EXPRESSIONS).all() {
		e := attributes(item)
		words = append(words, e.text(unix.NFTA_EXPR_NAME))
		value := e.nested(unix.NFTA_EXPR_DATA).nested(unix.NFTA_IMMEDIATE_DATA).bytes(unix.NFTA_DATA_VALUE)
		if len(value) == 4 {
			index = int(native.Uint32(value))
		}
	}
	if !slices.Equal(words, []string{"immediate", "fwd"}) {
		return 0
	}
	return index
}

// redirects names the links that detours lead to, as they are called now: the
// numbers stay, and so do detours to links that are gone.
func (c *Conn) redirects(list detours) (plan.State, error) {
	state := plan.State{}
	if len(list) == 0 {
		return state, nil
	}
	err := c.links(func(l linkNames) error {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			d := list[name]
			r := plan.Redirect{Mark: "host", NS: c.name, Link: d.link, To: l.name(d.index)}
			r.Sent = name == sentChain(d.link)
			if d.link == "" || name != detourChain(r) {
				r = plan.Redirect{Mark: "host", NS: c.name, Link: name} // somebody's edit: nobody wants it
			}
			state.Add(r)
		}
		return nil
	})
	return state, err
}

// detourChain names the chain of a detour, in a word of nft whatever the link is
// called.
func detourChain(r plan.Redirect) string {
	if r.Sent {
		return sentChain(r.Link)
	}
	return fmt.Sprintf("detour_%x", r.Link)
}

func sentChain(link string) string { return fmt.Sprintf("sent_%x", link) }

// chainOf is the chain that an observed detour is about.
func (list detours) chainOf(r plan.Redirect) string {
	if _, there := list[r.Link]; there {
		return r.Link
	}
	return detourChain(r)
}

// detour does ops on detours, in one transaction. With the last goes the table.
func (c *Conn) detour(ops []plan.Op) error {
	if len(ops) == 0 {
		return nil
	}
	list, err := c.readDetours()
	if err != nil {
		return err
	}
	t := transaction{family: unix.NFPROTO_NETDEV}
	err = c.links(func(l linkNames) error {
		for _, op := range ops {
			r := op.Object.(plan.Redirect)
			if op.Verb == plan.Del {
				t.dropDetour(list, list.chainOf(r))
				continue
			}
			index, err := l.index(r.To)
			if err != nil {
				return fmt.Errorf("%s: find link %s: %w", op, r.To, err)
			}
			t.makeDetour(list, r, index)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(list) == 0 && len(t.messages) > 0 {
		t.drop(unix.NFPROTO_NETDEV)
	}
	return about(ops, c.commit(t))
}

func (t *transaction) dropDetour(list detours, chain string) {
	if _, there := list[chain]; !there {
		return
	}
	t.empty(chain)
	t.do(unix.NFT_MSG_DELCHAIN, chainNamed(chain))
	delete(list, chain)
}

func (t *transaction) makeDetour(list detours, r plan.Redirect, index int) {
	const ingress, egress, accept = 0, 1, 1 // NF_NETDEV_INGRESS, NF_NETDEV_EGRESS, NF_ACCEPT
	chain, link, at := detourChain(r), r.Link, uint32(ingress)
	if r.Sent {
		at = egress
	}
	if list[chain].loose {
		t.dropDetour(list, chain)
	}
	if _, there := list[chain]; there {
		t.empty(chain)
	} else {
		hook := attributes{}.putUint32(unix.NFTA_HOOK_HOOKNUM, at).putUint32(unix.NFTA_HOOK_PRIORITY, 0).putText(unix.NFTA_HOOK_DEV, link)
		t.make(unix.NFT_MSG_NEWTABLE, attributes{}.putText(unix.NFTA_TABLE_NAME, Table).putUint32(unix.NFTA_TABLE_FLAGS, 0))
		t.make(unix.NFT_MSG_NEWCHAIN, chainNamed(chain).putNested(unix.NFTA_CHAIN_HOOK, hook).
			putUint32(unix.NFTA_CHAIN_POLICY, accept).putText(unix.NFTA_CHAIN_TYPE, "filter"))
	}
	list[chain] = detour{link: link, index: index}
	t.make(unix.NFT_MSG_NEWRULE, attributes{}.putText(unix.NFTA_RULE_TABLE, Table).putText(unix.NFTA_RULE_CHAIN, chain).
		putNested(unix.NFTA_RULE_EXPRESSIONS, forwardTo(index)).put(unix.NFTA_RULE_USERDATA, withRecord(nil, commentType, append([]byte(link), 0))))
}

// forwardTo is what `fwd to` means: the number of the link into a register, and the
// register to the one who sends.
func forwardTo(index int) attributes {
	number := native.AppendUint32(nil, uint32(index))
	load := attributes{}.putUint32(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_1).
		putNested(unix.NFTA_IMMEDIATE_DATA, attributes{}.put(unix.NFTA_DATA_VALUE, number))
	send := attributes{}.putUint32(unix.NFTA_FWD_SREG_DEV, unix.NFT_REG_1)
	return attributes{}.putNested(listElem, expression("immediate", load)).putNested(listElem, expression("fwd", send))
}

func expression(name string, data attributes) attributes {
	return attributes{}.putText(unix.NFTA_EXPR_NAME, name).putNested(unix.NFTA_EXPR_DATA, data)
}
