package api

import (
	"context"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// NetworkXML implements Service.
func (c *Client) NetworkXML(ctx context.Context, network string, inactive bool) (string, error) {
	return c.textOf(ctx, "/v1/networks/%s/xml", network, url.Values{"inactive": {strconv.FormatBool(inactive)}})
}

// UpdateNetwork implements Service.
func (c *Client) UpdateNetwork(ctx context.Context, network string, u NetworkUpdate) (done Updated, err error) {
	err = c.onNamed(ctx, "POST", "/v1/networks/%s/update", network, u, &done)
	return done, err
}

// DescribeNetwork implements Service.
func (c *Client) DescribeNetwork(ctx context.Context, network string, w NetworkWords) error {
	return c.onNamed(ctx, "PUT", "/v1/networks/%s/words", network, w, nil)
}

// Metadata implements Service.
func (c *Client) Metadata(ctx context.Context, network, uri string, of Copies) (string, error) {
	q := url.Values{"uri": {uri}, "live": {strconv.FormatBool(of.Live)}, "config": {strconv.FormatBool(of.Config)}}
	return c.textOf(ctx, "/v1/networks/%s/metadata", network, q)
}

// SetMetadata implements Service.
func (c *Client) SetMetadata(ctx context.Context, network string, change MetadataChange) error {
	return c.onNamed(ctx, "PUT", "/v1/networks/%s/metadata", network, change, nil)
}

// AddPortXML implements Service.
func (c *Client) AddPortXML(ctx context.Context, network string, r DefineRequest) (p Port, err error) {
	err = c.onNamed(ctx, "POST", "/v1/networks/%s/ports", network, r, &p)
	return p, err
}

// PortXML implements Service.
func (c *Client) PortXML(ctx context.Context, port string) (string, error) {
	return c.textOf(ctx, "/v1/ports/%s/xml", port, nil)
}

// ImportLeases implements Service.
func (c *Client) ImportLeases(ctx context.Context, network string, leases []Lease) (taken []Lease, err error) {
	err = c.onNamed(ctx, "POST", "/v1/networks/%s/leases", network, append([]Lease{}, leases...), &taken)
	return taken, err
}

// FreeSubnet implements Service.
func (c *Client) FreeSubnet(ctx context.Context, from byte) (netip.Prefix, error) {
	s, err := get[freeSubnet](ctx, c, "/v1/subnets/free?"+url.Values{"from": {strconv.Itoa(int(from))}}.Encode())
	return s.Address, err
}

// textOf asks for a text about the object of a name.
func (c *Client) textOf(ctx context.Context, format, name string, q url.Values) (string, error) {
	var e export
	if q != nil {
		format += "?" + strings.ReplaceAll(q.Encode(), "%", "%%")
	}
	err := c.onNamed(ctx, "GET", format, name, nil, &e)
	return e.Text, err
}
