package resolved

import (
	"encoding/json"
	"net/netip"
)

// Offered are servers and domains that somebody told a link, such as a DHCP server, in
// the form in which Give takes them.
func (Resolvers) Offered(servers []netip.Addr, domains []string) (json.RawMessage, error) {
	var r registration
	for _, s := range servers {
		r.addServer(s)
	}
	for _, d := range domains {
		r.addDomain(d, false)
	}
	return json.Marshal(held{r.servers, r.domains})
}
