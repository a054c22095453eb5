package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"kvmnet/internal/spec"
)

// MaxBody is the size of the largest request in bytes: a file of about 20,000
// networks.
const MaxBody = 8 << 20

// Handler serves the verbs of a Service as JSON under /v1/. Answers are the
// types of this package, errors are an Error with a fitting status. Events and
// checks are streamed, a JSON object a line, see stream.go.
func Handler(s Service) http.Handler {
	m := http.NewServeMux()
	m.Handle("GET /v1/status", give(s.Status))
	m.Handle("GET /v1/networks", list(s.Networks))
	m.Handle("POST /v1/networks", take(func(ctx context.Context, r AddNetwork) (any, error) {
		if r.Network == nil {
			return nil, missing("network")
		}
		return s.AddNetwork(ctx, r)
	}))
	m.Handle("POST /v1/networks/define", take(s.Define))
	m.Handle("GET /v1/networks/{name}", call(func(r *http.Request) (any, error) {
		return s.Network(r.Context(), r.PathValue("name"))
	}))
	m.Handle("DELETE /v1/networks/{name}", named(s.Undefine))
	m.Handle("POST /v1/networks/{name}/start", named(s.Start))
	m.Handle("POST /v1/networks/{name}/stop", named(s.Stop))
	m.Handle("PUT /v1/networks/{name}/autostart", call(func(r *http.Request) (any, error) {
		on, err := decode[toggle](r)
		if err != nil {
			return nil, err
		}
		return nil, s.SetAutostart(r.Context(), r.PathValue("name"), on.On)
	}))
	routeLibvirt(m, s)
	routeBridges(m, s)
	routeInterfaces(m, s)
	m.Handle("GET /v1/ports", list(s.Ports))
	m.Handle("POST /v1/ports", take(func(ctx context.Context, r AddPort) (any, error) {
		if r.Port == nil {
			return nil, missing("port")
		}
		return s.AddPort(ctx, r)
	}))
	m.Handle("PATCH /v1/ports/{name}", call(func(r *http.Request) (any, error) {
		change, err := decode[SetPort](r)
		if err != nil {
			return nil, err
		}
		return s.SetPort(r.Context(), r.PathValue("name"), change)
	}))
	m.Handle("POST /v1/plugged", take(func(ctx context.Context, r PlugPort) (any, error) {
		if r.Interface == "" {
			return nil, missing("interface")
		}
		return s.PlugPort(ctx, r)
	}))
	m.Handle("DELETE /v1/plugged/{name}", named(s.UnplugPort))
	m.Handle("GET /v1/bridges", list(s.Bridges))
	m.Handle("GET /v1/routers", list(s.Routers))
	m.Handle("GET /v1/routers/{name}", call(func(r *http.Request) (any, error) {
		return s.Router(r.Context(), r.PathValue("name"))
	}))
	m.Handle("POST /v1/routers", define(s.AddRouter))
	m.Handle("GET /v1/forwards", list(s.Forwards))
	m.Handle("POST /v1/forwards", define(s.AddForward))
	m.Handle("GET /v1/policies", list(s.Policies))
	m.Handle("POST /v1/policies", define(s.AddPolicy))
	m.Handle("GET /v1/matrix", give(s.Matrix))
	m.Handle("GET /v1/sets", list(s.Sets))
	m.Handle("POST /v1/sets", define(s.AddSet))
	for _, kind := range spec.Kinds {
		if kind != "networks" { // they are stopped and undefined, each by its own verb
			m.Handle("DELETE /v1/"+kind+"/{name}", named(func(ctx context.Context, name string) error {
				return s.Delete(ctx, spec.Singular(kind), name)
			}))
		}
	}

	m.Handle("GET /v1/leases", call(func(r *http.Request) (any, error) {
		all, err := s.Leases(r.Context(), r.URL.Query().Get("network"))
		return append([]Lease{}, all...), err
	}))
	m.Handle("POST /v1/leases/release", take(s.ReleaseLease))
	m.Handle("POST /v1/addresses", take(s.Addresses))

	m.Handle("POST /v1/apply", take(s.Apply))
	m.Handle("GET /v1/drift", give(s.Drift))
	m.Handle("GET /v1/export", call(func(r *http.Request) (any, error) {
		q := r.URL.Query()
		text, err := s.Export(r.Context(), q.Get("kind"), q.Get("name"))
		return export{text}, err
	}))
	m.Handle("GET /v1/orphans", list(s.Orphans))
	m.Handle("DELETE /v1/orphans", list(s.Collect))
	m.Handle("GET /v1/findings", list(s.Doctor))
	m.Handle("DELETE /v1/findings", list(s.Heal))
	m.Handle("PUT /v1/paused", take(func(ctx context.Context, r toggle) (any, error) {
		return nil, s.Pause(ctx, r.On)
	}))
	m.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) { serveEvents(s, w, r) })
	m.HandleFunc("POST /v1/verify", func(w http.ResponseWriter, r *http.Request) { serveVerify(s, w, r) })
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, &Error{Code: CodeNotFound, Message: fmt.Sprintf("no such call: %s %s", r.Method, r.URL.EscapedPath())})
	})
	return m
}

// Bodies that are not arguments of a verb as they are.
type (
	toggle struct {
		On bool `json:"on"`
	}
	export struct {
		Text string `json:"text"`
	}
)

// call is one verb over HTTP: it reads the request, calls the service and
// returns what to answer; nil answers without a body.
type call func(r *http.Request) (any, error)

// ServeHTTP implements http.Handler.
func (c call) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	v, err := c(r)
	switch {
	case err != nil:
		fail(w, err)
	case v == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		reply(w, http.StatusOK, v)
	}
}

// give is a verb without arguments.
func give[Out any](f func(context.Context) (Out, error)) call {
	return func(r *http.Request) (any, error) { return f(r.Context()) }
}

// list is a verb without arguments that answers a list, [] when there is none.
func list[T any](f func(context.Context) ([]T, error)) call {
	return func(r *http.Request) (any, error) {
		all, err := f(r.Context())
		if all == nil {
			all = []T{}
		}
		return all, err
	}
}

// take is a verb with one argument, the body.
func take[In, Out any](f func(context.Context, In) (Out, error)) call {
	return func(r *http.Request) (any, error) {
		in, err := decode[In](r)
		if err != nil {
			return nil, err
		}
		return f(r.Context(), in)
	}
}

// define is a verb that makes an object.
func define[T, Out any](f func(context.Context, Definition[T]) (Out, error)) call {
	return take(func(ctx context.Context, d Definition[T]) (any, error) {
		if d.Spec == nil {
			return nil, missing("spec")
		}
		return f(ctx, d)
	})
}

// named is a verb on the object the path names, without an answer.
func named(f func(context.Context, string) error) call {
	return func(r *http.Request) (any, error) { return nil, f(r.Context(), r.PathValue("name")) }
}

// AsError returns the Error that err is or wraps, with the words of what wraps
// it; any other error is internal.
func AsError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e) && err == error(e):
		return e
	case e == nil && errors.Is(err, context.Canceled):
		// The client went, and reads no answer, or the daemon ends.
		return &Error{Code: CodeInternal, Message: "the daemon is stopping"}
	case e == nil:
		return &Error{Code: CodeInternal, Message: err.Error()}
	}
	return &Error{Code: e.Code, Message: outerMessage(err, e), Reason: e.Reason, Problems: e.Problems}
}
