package transport_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	systemv1 "castellan/gen/zitadel/system/v1"
	"castellan/internal/api/transport"
)

// benchEnv makes the test binary the server that the benchmarks measure, so that the CPU time
// of the clients is not counted.
const benchEnv = "TRANSPORT_BENCH_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(benchEnv) != "" {
		serveBenchmarks()
		return
	}
	os.Exit(m.Run())
}

// benchSystem answers like the real service would, from memory.
type benchSystem struct {
	systemv1.UnimplementedSystemServiceServer
	answer *systemv1.GetInstanceResponse
}

func (s *benchSystem) GetInstance(context.Context, *systemv1.GetInstanceRequest) (*systemv1.GetInstanceResponse, error) {
	return s.answer, nil
}

func (s *benchSystem) UpdateInstance(_ context.Context, in *systemv1.UpdateInstanceRequest) (*systemv1.UpdateInstanceResponse, error) {
	return &systemv1.UpdateInstanceResponse{}, nil
}

func newBenchSystem() *benchSystem {
	s := &benchSystem{answer: &systemv1.GetInstanceResponse{}}
	m := s.answer.ProtoReflect().Mutable(s.answer.ProtoReflect().Descriptor().Fields().ByName("instance")).Message()
	for field, text := range map[protoreflect.Name]string{"id": "268123456789012345", "name": "Acme", "version": "v1"} {
		m.Set(m.Descriptor().Fields().ByName(field), valueOf(text))
	}
	return s
}

func benchHandler() http.Handler {
	reg := transport.New(transport.Config{Dispatcher: &gate{}})
	systemv1.RegisterSystemServiceServer(reg, newBenchSystem())
	return reg.Handler()
}

// bare is the least a JSON handler on net/http does.
func bare(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name string `json:"instanceName"`
	}
	if r.Method == "PUT" {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
	}
	type instance struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(map[string]instance{"instance": {r.PathValue("id"), "Acme", "v1"}}); err != nil {
		panic(err)
	}
}

// serveBenchmarks serves until its input ends, and tells its own CPU time.
func serveBenchmarks() {
	mux := http.NewServeMux()
	mux.HandleFunc("/bare/{id}", bare)
	mux.HandleFunc("/cpu", func(w http.ResponseWriter, _ *http.Request) {
		var u syscall.Rusage
		must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		fmt.Fprint(w, u.Utime.Nano()+u.Stime.Nano())
	})
	mux.Handle("/", benchHandler())
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println(l.Addr())
	server := &http.Server{Handler: mux, Protocols: protocols}
	go server.Serve(l) //nolint:errcheck // the process ends with its input
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// BenchmarkServerCPU reports, as cpu-us/op, the CPU time a server process spends on a request,
// network included, for each protocol and for a bare handler.
func BenchmarkServerCPU(b *testing.B) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchEnv+"=1")
	in, err := cmd.StdinPipe()
	must(err)
	out, err := cmd.StdoutPipe()
	must(err)
	must(cmd.Start())
	defer func() {
		must(in.Close())
		must(cmd.Wait())
	}()
	addr, err := bufio.NewReader(out).ReadString('\n')
	must(err)
	addr = strings.TrimSpace(addr)

	body := `{"instanceName":"Acme Corporation"}`
	request, err := proto.Marshal(&systemv1.GetInstanceRequest{InstanceId: "268123456789012345"})
	must(err)
	path := systemv1.SystemService_GetInstance_FullMethodName
	plain := map[string]string{
		"bare GET":     httpText("GET", "/bare/268123456789012345", "", ""),
		"bare PUT":     httpText("PUT", "/bare/268123456789012345", "application/json", body),
		"rest GET":     httpText("GET", "/system/v1/instances/268123456789012345", "", ""),
		"rest PUT":     httpText("PUT", "/system/v1/instances/268123456789012345", "application/json", body),
		"connect json": httpText("POST", path, "application/json", `{"instanceId":"268123456789012345"}`),
		"connect":      httpText("POST", path, "application/proto", string(request)),
		"grpc-web":     httpText("POST", path, "application/grpc-web+proto", enveloped(0, string(request))),
	}
	for _, name := range []string{"bare GET", "rest GET", "bare PUT", "rest PUT", "connect json", "connect", "grpc-web"} {
		b.Run(name, func(b *testing.B) {
			measure(b, addr, func() func() { return rawClient(b, addr, plain[name]) })
		})
	}
	b.Run("grpc", func(b *testing.B) {
		conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		must(err)
		defer conn.Close()
		c := systemv1.NewSystemServiceClient(conn)
		measure(b, addr, func() func() {
			return func() {
				_, err := c.GetInstance(context.Background(), &systemv1.GetInstanceRequest{InstanceId: "268123456789012345"})
				must(err)
			}
		})
	})
}

func httpText(method, path, media, body string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: bench\r\nAuthorization: Bearer abcdefghijklmnop\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		method, path, media, len(body), body)
}

// rawClient returns a function that sends one request on a connection of its own and reads the
// answer.
func rawClient(b *testing.B, addr, text string) func() {
	conn, err := net.Dial("tcp", addr)
	must(err)
	b.Cleanup(func() { conn.Close() })
	in, request := bufio.NewReader(conn), []byte(text)
	return func() {
		_, err := conn.Write(request)
		must(err)
		res, err := http.ReadResponse(in, nil)
		must(err)
		if res.StatusCode != 200 {
			panic(res.Status)
		}
		_, err = io.Copy(io.Discard, res.Body)
		must(err)
	}
}

// measure runs b.N requests on eight clients and reports the CPU time of the server.
func measure(b *testing.B, addr string, open func() func()) {
	const clients = 8
	var group sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(b.N))
	calls := make([]func(), clients)
	for i := range calls {
		calls[i] = open()
		calls[i]() // the connection is made before the clock starts
	}
	before := cpu(addr)
	b.ResetTimer()
	for _, call := range calls {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				call()
			}
		})
	}
	group.Wait()
	b.StopTimer()
	b.ReportMetric(float64(cpu(addr)-before)/1e3/float64(b.N), "cpu-us/op")
}

func cpu(addr string) int64 {
	res, err := http.Get("http://" + addr + "/cpu")
	must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(err)
	n, err := strconv.ParseInt(string(text), 10, 64)
	must(err)
	return n
}

// BenchmarkHandler measures the handler alone, without net/http around it.
func BenchmarkHandler(b *testing.B) {
	handler := benchHandler()
	mux := http.NewServeMux()
	mux.HandleFunc("/bare/{id}", bare)
	request, err := proto.Marshal(&systemv1.GetInstanceRequest{InstanceId: "268123456789012345"})
	must(err)
	path := systemv1.SystemService_GetInstance_FullMethodName
	for _, c := range []struct {
		name, method, path, media, body string
		handler                         http.Handler
	}{
		{"bare", "GET", "/bare/268123456789012345", "", "", mux},
		{"rest", "GET", "/system/v1/instances/268123456789012345", "", "", handler},
		{"rest put", "PUT", "/system/v1/instances/268123456789012345", "", `{"instanceName":"Acme Corporation"}`, handler},
		{"rest query", "GET", "/system/v1/instances/268123456789012345?x=1", "", "", handler},
		{"rest error", "GET", "/system/v1/healthz", "", "", handler},
		{"connect", "POST", path, "application/proto", string(request), handler},
		{"grpc-web", "POST", path, "application/grpc-web", enveloped(0, string(request)), handler},
		{"grpc", "POST", path, "application/grpc", enveloped(0, string(request)), handler},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			text := strings.NewReader(c.body)
			r, err := http.NewRequest(c.method, "http://localhost"+c.path, nil)
			must(err)
			for b.Loop() {
				text.Reset(c.body)
				r.Body, r.ContentLength = io.NopCloser(text), int64(len(c.body))
				r.Header = http.Header{"Content-Type": {c.media}}
				c.handler.ServeHTTP(&discard{header: http.Header{}}, r)
			}
		})
	}
}

// discard is a response that goes nowhere.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Flush()                      {}
