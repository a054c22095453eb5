package api

import "context"

// ConvertBridge implements BridgeService.
func (c *Client) ConvertBridge(ctx context.Context, r ConvertBridge) (done Conversion, err error) {
	err = c.do(ctx, "POST", "/v1/conversions", r, &done)
	return done, err
}

// UnconvertBridge implements BridgeService.
func (c *Client) UnconvertBridge(ctx context.Context, r UnconvertBridge) (done Conversion, err error) {
	err = c.do(ctx, "POST", "/v1/unconversions", r, &done)
	return done, err
}

// Conversions implements BridgeService.
func (c *Client) Conversions(ctx context.Context) ([]ConvertedBridge, error) {
	return get[[]ConvertedBridge](ctx, c, "/v1/conversions")
}

// Changes implements BridgeService.
func (c *Client) Changes(ctx context.Context) ([]HostChange, error) {
	return get[[]HostChange](ctx, c, "/v1/changes")
}

// ConfirmChange implements BridgeService.
func (c *Client) ConfirmChange(ctx context.Context, id string) (change HostChange, err error) {
	err = c.do(ctx, "POST", "/v1/changes/confirm", changeID{id}, &change)
	return change, err
}

// RollbackChange implements BridgeService.
func (c *Client) RollbackChange(ctx context.Context, id string) (change HostChange, err error) {
	err = c.do(ctx, "POST", "/v1/changes/rollback", changeID{id}, &change)
	return change, err
}
