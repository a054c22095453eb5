package api

import (
	"context"
	"net/http"
)

// routeInterfaces serves the verbs about the host's own interfaces.
func routeInterfaces(m *http.ServeMux, s InterfaceService) {
	m.Handle("GET /v1/interfaces", list(s.Interfaces))
	m.Handle("POST /v1/interfaces", take(s.DefineInterface))
	m.Handle("GET /v1/interfaces/{name}", call(func(r *http.Request) (any, error) {
		return s.Interface(r.Context(), r.PathValue("name"))
	}))
	m.Handle("GET /v1/interfaces/{name}/xml", text(func(r *http.Request, name string) (string, error) {
		inactive, err := flag(r, "inactive")
		if err != nil {
			return "", err
		}
		return s.InterfaceXML(r.Context(), name, inactive)
	}))
	m.Handle("DELETE /v1/interfaces/{name}", named(s.UndefineInterface))
	m.Handle("POST /v1/interfaces/{name}/start", about(func(ctx context.Context, name string, r InterfaceAction) (InterfaceChange, error) {
		r.Name = name
		return s.StartInterface(ctx, r)
	}))
	m.Handle("POST /v1/interfaces/{name}/stop", about(quiet(func(ctx context.Context, name string, r InterfaceAction) error {
		r.Name = name
		return s.StopInterface(ctx, r)
	})))
	m.Handle("POST /v1/interfaces/{name}/bridge", about(func(ctx context.Context, name string, r BridgeInterface) (any, error) {
		if r.Interface = name; r.Bridge == "" {
			return nil, missing("bridge")
		}
		return s.BridgeInterface(ctx, r)
	}))
	m.Handle("POST /v1/interfaces/{name}/unbridge", about(func(ctx context.Context, name string, r UnbridgeInterface) (InterfaceChange, error) {
		r.Bridge = name
		return s.UnbridgeInterface(ctx, r)
	}))
	m.Handle("POST /v1/interfaces-change/begin", done(s.BeginInterfaces))
	m.Handle("POST /v1/interfaces-change/commit", done(s.CommitInterfaces))
	m.Handle("POST /v1/interfaces-change/rollback", done(s.RollbackInterfaces))
}

// done is a verb without arguments and without an answer.
func done(f func(context.Context) error) call {
	return func(r *http.Request) (any, error) { return nil, f(r.Context()) }
}
