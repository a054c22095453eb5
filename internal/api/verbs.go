package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"

	"kvmnet/internal/spec"
)

// get makes a call without a body.
func get[Out any](ctx context.Context, c *Client, path string) (out Out, err error) {
	err = c.do(ctx, "GET", path, nil, &out)
	return out, err
}

// post makes a call with a body.
func post[Out any](ctx context.Context, c *Client, path string, in any) (out Out, err error) {
	err = c.do(ctx, "POST", path, in, &out)
	return out, err
}

// onNamed makes a call on the object of a name. No object has the empty name,
// and the path would mean another call.
func (c *Client) onNamed(ctx context.Context, method, format, name string, in, out any) error {
	if name == "" {
		return &Error{Code: CodeNotFound, Message: "no object has an empty name"}
	}
	return c.do(ctx, method, path(format, name), in, out)
}

// Status implements Service.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return get[Status](ctx, c, "/v1/status")
}

// Networks implements Service.
func (c *Client) Networks(ctx context.Context) ([]Network, error) {
	return get[[]Network](ctx, c, "/v1/networks")
}

// Network implements Service.
func (c *Client) Network(ctx context.Context, name string) (n Network, err error) {
	err = c.onNamed(ctx, "GET", "/v1/networks/%s", name, nil, &n)
	return n, err
}

// Ports implements Service.
func (c *Client) Ports(ctx context.Context) ([]Port, error) { return get[[]Port](ctx, c, "/v1/ports") }

// Bridges implements Service.
func (c *Client) Bridges(ctx context.Context) ([]HostBridge, error) {
	return get[[]HostBridge](ctx, c, "/v1/bridges")
}

// Apply implements Service.
func (c *Client) Apply(ctx context.Context, r ApplyRequest) (ApplyResult, error) {
	return post[ApplyResult](ctx, c, "/v1/apply", r)
}

// Drift implements Service.
func (c *Client) Drift(ctx context.Context) (ApplyResult, error) {
	return get[ApplyResult](ctx, c, "/v1/drift")
}

// AddNetwork implements Service.
func (c *Client) AddNetwork(ctx context.Context, r AddNetwork) (Network, error) {
	return post[Network](ctx, c, "/v1/networks", r)
}

// Define implements Service.
func (c *Client) Define(ctx context.Context, r DefineRequest) (Defined, error) {
	return post[Defined](ctx, c, "/v1/networks/define", r)
}

// Start implements Service.
func (c *Client) Start(ctx context.Context, network string) error {
	return c.onNamed(ctx, "POST", "/v1/networks/%s/start", network, nil, nil)
}

// Stop implements Service.
func (c *Client) Stop(ctx context.Context, network string) error {
	return c.onNamed(ctx, "POST", "/v1/networks/%s/stop", network, nil, nil)
}

// Undefine implements Service.
func (c *Client) Undefine(ctx context.Context, network string) error {
	return c.onNamed(ctx, "DELETE", "/v1/networks/%s", network, nil, nil)
}

// SetAutostart implements Service.
func (c *Client) SetAutostart(ctx context.Context, network string, on bool) error {
	return c.onNamed(ctx, "PUT", "/v1/networks/%s/autostart", network, toggle{on}, nil)
}

// AddPort implements Service.
func (c *Client) AddPort(ctx context.Context, r AddPort) (Port, error) {
	return post[Port](ctx, c, "/v1/ports", r)
}

// SetPort implements Service.
func (c *Client) SetPort(ctx context.Context, name string, r SetPort) (p Port, err error) {
	err = c.onNamed(ctx, "PATCH", "/v1/ports/%s", name, r, &p)
	return p, err
}

// PlugPort implements Service.
func (c *Client) PlugPort(ctx context.Context, r PlugPort) (Port, error) {
	return post[Port](ctx, c, "/v1/plugged", r)
}

// UnplugPort implements Service.
func (c *Client) UnplugPort(ctx context.Context, iface string) error {
	return c.onNamed(ctx, "DELETE", "/v1/plugged/%s", iface, nil, nil)
}

// Routers implements Service.
func (c *Client) Routers(ctx context.Context) ([]Router, error) {
	return get[[]Router](ctx, c, "/v1/routers")
}

// Router implements Service.
func (c *Client) Router(ctx context.Context, name string) (r Router, err error) {
	err = c.onNamed(ctx, "GET", "/v1/routers/%s", name, nil, &r)
	return r, err
}

// AddRouter implements Service.
func (c *Client) AddRouter(ctx context.Context, d Definition[spec.Router]) (Router, error) {
	return post[Router](ctx, c, "/v1/routers", d)
}

// Forwards implements Service.
func (c *Client) Forwards(ctx context.Context) ([]Forward, error) {
	return get[[]Forward](ctx, c, "/v1/forwards")
}

// AddForward implements Service.
func (c *Client) AddForward(ctx context.Context, d Definition[spec.Forward]) (Forward, error) {
	return post[Forward](ctx, c, "/v1/forwards", d)
}

// Policies implements Service.
func (c *Client) Policies(ctx context.Context) ([]Policy, error) {
	return get[[]Policy](ctx, c, "/v1/policies")
}

// AddPolicy implements Service.
func (c *Client) AddPolicy(ctx context.Context, d Definition[spec.Policy]) (Policy, error) {
	return post[Policy](ctx, c, "/v1/policies", d)
}

// Matrix implements Service.
func (c *Client) Matrix(ctx context.Context) (Matrix, error) {
	return get[Matrix](ctx, c, "/v1/matrix")
}

// Sets implements Service.
func (c *Client) Sets(ctx context.Context) ([]Set, error) { return get[[]Set](ctx, c, "/v1/sets") }

// AddSet implements Service.
func (c *Client) AddSet(ctx context.Context, d Definition[spec.AddressSet]) (Set, error) {
	return post[Set](ctx, c, "/v1/sets", d)
}

// Delete implements Service.
func (c *Client) Delete(ctx context.Context, kind, name string) error {
	i := slices.IndexFunc(spec.Kinds, func(k string) bool { return spec.Singular(k) == kind })
	if i < 0 {
		return &Error{Code: CodeInvalid, Message: kind + " is not a kind of object"}
	}
	return c.onNamed(ctx, "DELETE", "/v1/"+spec.Kinds[i]+"/%s", name, nil, nil)
}

// DeletePort deletes a port.
func (c *Client) DeletePort(ctx context.Context, name string) error {
	return c.Delete(ctx, "port", name)
}

// DeleteBridge deletes a host bridge.
func (c *Client) DeleteBridge(ctx context.Context, name string) error {
	return c.Delete(ctx, "bridge", name)
}

// Leases implements Service.
func (c *Client) Leases(ctx context.Context, network string) ([]Lease, error) {
	return get[[]Lease](ctx, c, "/v1/leases?"+url.Values{"network": {network}}.Encode())
}

// ReleaseLease implements Service.
func (c *Client) ReleaseLease(ctx context.Context, r LeaseRelease) ([]Lease, error) {
	return post[[]Lease](ctx, c, "/v1/leases/release", r)
}

// Addresses implements Service.
func (c *Client) Addresses(ctx context.Context, r AddressRequest) ([]Address, error) {
	return post[[]Address](ctx, c, "/v1/addresses", r)
}

// Orphans implements Service.
func (c *Client) Orphans(ctx context.Context) ([]Orphan, error) {
	return get[[]Orphan](ctx, c, "/v1/orphans")
}

// Collect implements Service.
func (c *Client) Collect(ctx context.Context) (gone []Orphan, err error) {
	err = c.do(ctx, "DELETE", "/v1/orphans", nil, &gone)
	return gone, err
}

// Doctor implements Service.
func (c *Client) Doctor(ctx context.Context) ([]Finding, error) {
	return get[[]Finding](ctx, c, "/v1/findings")
}

// Heal implements Service.
func (c *Client) Heal(ctx context.Context) (left []Finding, err error) {
	err = c.do(ctx, "DELETE", "/v1/findings", nil, &left)
	return left, err
}

// Pause implements Service.
func (c *Client) Pause(ctx context.Context, on bool) error {
	return c.do(ctx, "PUT", "/v1/paused", toggle{on}, nil)
}

// Export implements Service.
func (c *Client) Export(ctx context.Context, kind, name string) (string, error) {
	q := url.Values{"kind": {kind}, "name": {name}}
	e, err := get[export](ctx, c, "/v1/export?"+q.Encode())
	return e.Text, err
}

// Verify implements Service.
func (c *Client) Verify(ctx context.Context, r VerifyRequest, report func(Check)) error {
	return streamCall(ctx, c, "POST", "/v1/verify", r, report)
}

// Events implements Service. It returns nil when ctx ended it, and an error
// when the daemon did.
func (c *Client) Events(ctx context.Context, send func(Event)) error {
	err := streamCall(ctx, c, "GET", "/v1/events", nil, send)
	switch {
	case ctx.Err() != nil:
		return nil
	case err == nil:
		return fmt.Errorf("the daemon at %s ended the events", c.path)
	}
	return err
}

// streamCall makes a call that answers with a stream.
func streamCall[T any](ctx context.Context, c *Client, method, path string, in any, each func(T)) error {
	r, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	err = readStream(json.NewDecoder(r.Body), each)
	var e *Error
	switch {
	case err == io.EOF:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &e):
		return e
	}
	return fmt.Errorf("read from the daemon at %s: %w", c.path, plainEOF(err))
}
