package dhcp6

import (
	"errors"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
)

// exchange is one request on its way to an answer.
type exchange struct {
	request
	config *config
	link   *link
	book   *transaction

	kept     []kept // what is reserved for the client, and no IA of this message has
	scope    *scope // of the first address given: its options are sent
	reserved *plan.Reservation
	hostname string // what the client is called from now on
	warnings []warning
	err      error // why the book cannot be written
}

// kept is a reservation and where it is.
type kept struct {
	scope       *scope
	reservation *plan.Reservation
}

// warning is something the operator should know; of those with the same key only
// one is told in a while.
type warning struct{ key, text string }

// answer is what reply decided. message is nil unless the verdict is answered.
type answer struct {
	message  *dhcpv6.Message
	verdict  verdict
	warnings []warning
}

// reply answers a request, of which identify has run, under a config as the
// server of that DUID. It changes book; the answer must wait for its commit.
func reply(r request, c *config, l *link, duid string, book *transaction) answer {
	if v := judge(&r, duid); v != answered {
		return answer{verdict: v}
	}
	x := &exchange{request: r, config: c, link: l, book: book, hostname: c.permitted(r.name)}
	for _, s := range l.scopes {
		if v := s.reservation(&r); v != nil {
			x.kept = append(x.kept, kept{s, v})
		}
	}
	m := x.answer()
	switch {
	case x.err != nil:
		return answer{verdict: unsaved, warnings: x.warnings}
	case m == nil:
		return answer{verdict: silent, warnings: x.warnings}
	}
	identifiers := dhcpv6.Options{&dhcpv6.OptionGeneric{OptionCode: dhcpv6.OptionServerID, OptionData: []byte(duid)}}
	if r.duid != "" {
		identifiers.Add(&dhcpv6.OptionGeneric{OptionCode: dhcpv6.OptionClientID, OptionData: []byte(r.duid)})
	}
	m.TransactionID = r.xid
	m.Options.Options = append(identifiers, m.Options.Options...)
	return answer{m, answered, x.warnings}
}

// answer makes the message, without the identifiers, or nil to stay silent.
func (x *exchange) answer() *dhcpv6.Message {
	if x.unicast {
		return message(dhcpv6.MessageTypeReply, status(iana.StatusUseMulticast, "send it to ff02::1:2"))
	}
	switch x.kind {
	case dhcpv6.MessageTypeSolicit:
		return x.solicit()
	case dhcpv6.MessageTypeRequest:
		return x.leases(x.each(x.grant))
	case dhcpv6.MessageTypeRenew, dhcpv6.MessageTypeRebind:
		return x.leases(x.each(x.extend))
	case dhcpv6.MessageTypeConfirm:
		return x.confirm()
	case dhcpv6.MessageTypeRelease:
		return x.end(x.releaseIA)
	case dhcpv6.MessageTypeDecline:
		return x.end(x.declineIA)
	}
	return message(dhcpv6.MessageTypeReply, x.options()...)
}

// solicit answers with an offer, or with leases at once where the client wants
// that and there is one (RFC 8415 section 18.3.1). Preference 255 spares the client
// the wait for other servers: here are none.
func (x *exchange) solicit() *dhcpv6.Message {
	offers := x.each(x.offer)
	if x.rapid && anyGiven(offers) {
		m := x.leases(x.commitAll(offers))
		m.AddOption(&dhcpv6.OptionGeneric{OptionCode: dhcpv6.OptionRapidCommit})
		return m
	}
	m := message(dhcpv6.MessageTypeAdvertise, encode(offers)...)
	m.AddOption(&dhcpv6.OptionGeneric{OptionCode: dhcpv6.OptionPreference, OptionData: []byte{255}})
	m.Options.Options = append(m.Options.Options, x.options()...)
	return m
}

// leases answers with what became of the IAs.
func (x *exchange) leases(results []result) *dhcpv6.Message {
	m := message(dhcpv6.MessageTypeReply, encode(results)...)
	m.Options.Options = append(m.Options.Options, x.options()...)
	return m
}

// confirm says whether the client's addresses still fit the link it is on (RFC
// 8415 section 18.3.3); of a link nobody knows it says nothing.
func (x *exchange) confirm() *dhcpv6.Message {
	if len(x.link.scopes) == 0 {
		return nil
	}
	for _, a := range x.ias {
		if !x.fits(a) {
			return message(dhcpv6.MessageTypeReply, status(iana.StatusNotOnLink, "not an address of this link"))
		}
	}
	return message(dhcpv6.MessageTypeReply, status(iana.StatusSuccess, "all addresses fit the link"))
}

// fits reports whether all addresses of the IA are appropriate for the link.
func (x *exchange) fits(a ia) bool {
	for _, addr := range a.addrs {
		if x.link.scope(addr) == nil {
			return false
		}
	}
	return true
}

// each decides on every IA of the message.
func (x *exchange) each(decide func(ia) result) []result {
	results := make([]result, 0, len(x.ias))
	for _, a := range x.ias {
		switch a.code {
		case dhcpv6.OptionIANA:
			results = append(results, decide(a))
		case dhcpv6.OptionIAPD:
			results = append(results, result{ia: a, status: status(iana.StatusNoPrefixAvail, "prefixes are not delegated here")})
		default:
			results = append(results, result{ia: a, status: status(iana.StatusNoAddrsAvail, "temporary addresses are not given here")})
		}
	}
	return results
}

// unwritable notes an error that means that the book takes no leases at all, and
// reports whether it is one: then there is no answer, and the client asks again.
func (x *exchange) unwritable(err error) bool {
	if errors.Is(err, lease.ErrBusy) || errors.Is(err, lease.ErrClosed) {
		x.err = err
	}
	return x.err != nil
}

func message(kind dhcpv6.MessageType, options ...dhcpv6.Option) *dhcpv6.Message {
	return &dhcpv6.Message{MessageType: kind, Options: dhcpv6.MessageOptions{Options: options}}
}
