// An ext_authz server on grpc-go and golang-jwt: a peer of authz in `make bench`.
//
// peer SOCKET SETTINGS_FILE CACHE_SIZE
//
// A cache size of 0 verifies the token of every request. The runtime reads GOMAXPROCS from the environment.
package main

import (
	"context"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: peer SOCKET SETTINGS_FILE CACHE_SIZE")
	}
	settings, err := readSettings(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	size, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := newVerifier(settings, size)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	auth.RegisterAuthorizationServer(server, &authorizer{settings: settings, verifier: verifier})
	stopped, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		<-stopped.Done()
		server.Stop()
	}()
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}
