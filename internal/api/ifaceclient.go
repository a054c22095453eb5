package api

import (
	"context"
	"net/url"
	"strconv"
)

// Interfaces implements InterfaceService.
func (c *Client) Interfaces(ctx context.Context) ([]HostInterface, error) {
	return get[[]HostInterface](ctx, c, "/v1/interfaces")
}

// Interface implements InterfaceService.
func (c *Client) Interface(ctx context.Context, name string) (i HostInterface, err error) {
	err = c.onNamed(ctx, "GET", "/v1/interfaces/%s", name, nil, &i)
	return i, err
}

// InterfaceXML implements InterfaceService.
func (c *Client) InterfaceXML(ctx context.Context, name string, inactive bool) (string, error) {
	return c.textOf(ctx, "/v1/interfaces/%s/xml", name, url.Values{"inactive": {strconv.FormatBool(inactive)}})
}

// DefineInterface implements InterfaceService.
func (c *Client) DefineInterface(ctx context.Context, r DefineInterface) (DefinedInterface, error) {
	return post[DefinedInterface](ctx, c, "/v1/interfaces", r)
}

// UndefineInterface implements InterfaceService.
func (c *Client) UndefineInterface(ctx context.Context, name string) error {
	return c.onNamed(ctx, "DELETE", "/v1/interfaces/%s", name, nil, nil)
}

// StartInterface implements InterfaceService.
func (c *Client) StartInterface(ctx context.Context, r InterfaceAction) (done InterfaceChange, err error) {
	err = c.onNamed(ctx, "POST", "/v1/interfaces/%s/start", r.Name, r, &done)
	return done, err
}

// StopInterface implements InterfaceService.
func (c *Client) StopInterface(ctx context.Context, r InterfaceAction) error {
	return c.onNamed(ctx, "POST", "/v1/interfaces/%s/stop", r.Name, r, nil)
}

// BridgeInterface implements InterfaceService.
func (c *Client) BridgeInterface(ctx context.Context, r BridgeInterface) (done InterfaceChange, err error) {
	err = c.onNamed(ctx, "POST", "/v1/interfaces/%s/bridge", r.Interface, r, &done)
	return done, err
}

// UnbridgeInterface implements InterfaceService.
func (c *Client) UnbridgeInterface(ctx context.Context, r UnbridgeInterface) (done InterfaceChange, err error) {
	err = c.onNamed(ctx, "POST", "/v1/interfaces/%s/unbridge", r.Bridge, r, &done)
	return done, err
}

// BeginInterfaces implements InterfaceService.
func (c *Client) BeginInterfaces(ctx context.Context) error {
	return c.do(ctx, "POST", "/v1/interfaces-change/begin", nil, nil)
}

// CommitInterfaces implements InterfaceService.
func (c *Client) CommitInterfaces(ctx context.Context) error {
	return c.do(ctx, "POST", "/v1/interfaces-change/commit", nil, nil)
}

// RollbackInterfaces implements InterfaceService.
func (c *Client) RollbackInterfaces(ctx context.Context) error {
	return c.do(ctx, "POST", "/v1/interfaces-change/rollback", nil, nil)
}
