package dhcp6

import (
	"cmp"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"kvmnet/internal/plan"
)

// options are what the client is told beside addresses: the resolvers and search
// domains in any case, everything else if it asks.
func (x *exchange) options() []dhcpv6.Option {
	x.settle()
	var options []dhcpv6.Option
	sent := map[dhcpv6.OptionCode]bool{}
	for _, o := range x.configured() {
		code := dhcpv6.OptionCode(o.Code)
		if sent[code] || !x.sends(code) {
			continue
		}
		sent[code] = true
		if o.Data != "" { // a reservation may say that its guest does not get it
			options = append(options, &dhcpv6.OptionGeneric{OptionCode: code, OptionData: []byte(o.Data)})
		}
	}
	if x.scope == nil {
		return options
	}
	if x.wants(dhcpv6.OptionBootfileURL) && !sent[dhcpv6.OptionBootfileURL] {
		options = append(options, bootOptions(x.scope.Boot, x.boot)...)
	}
	if x.hostname != "" && (x.clientName != nil || x.wants(dhcpv6.OptionFQDN)) {
		options = append(options, answerFQDN(x.clientName, x.hostname, x.scope.Domain))
	}
	return options
}

// settle finds whose options are sent where no address was given: those of the
// client's reservation, or of the link's first scope.
func (x *exchange) settle() {
	switch {
	case x.scope != nil:
	case len(x.kept) > 0:
		x.scope, x.reserved, x.hostname = x.kept[0].scope, x.kept[0].reservation, x.called(x.kept[0].reservation)
	case len(x.link.scopes) > 0:
		x.scope = x.link.scopes[0]
	}
}

// configured lists the reservation's options, then the scope's: the first of a
// code counts.
func (x *exchange) configured() []plan.Option {
	var options []plan.Option
	if x.reserved != nil {
		options = append(options, x.reserved.Options...)
	}
	if x.scope != nil {
		options = append(options, x.scope.Options...)
	}
	return options
}

func (x *exchange) sends(code dhcpv6.OptionCode) bool {
	switch code {
	case dhcpv6.OptionDNSRecursiveNameServer, dhcpv6.OptionDomainSearchList:
		return true
	case dhcpv6.OptionInformationRefreshTime: // only there (RFC 8415 section 21.23)
		return x.kind == dhcpv6.MessageTypeInformationRequest && x.wants(code)
	}
	return x.wants(code)
}

// called is the name of the guest that a reservation is for: the reserved one, or
// where there is none its own.
func (x *exchange) called(r *plan.Reservation) string {
	return cmp.Or(r.Name, x.config.permitted(x.name))
}

// permitted is a host name that a client may have without a reservation: not one
// that is reserved for another guest.
func (c *config) permitted(name string) string {
	for _, l := range c.links {
		if l.scopes[0].names[name] != nil {
			return ""
		}
	}
	return name
}
