// A grpc-go client: sends one CheckRequest many times over one connection and prints the answers.
//
// `client SOCKET MESSAGE_FILE CALLS`
//
// Prints a line per distinct outcome: its number, a blank, and `allow`, `deny` or the gRPC status.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"sync"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const atOnce = 64

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("usage: client SOCKET MESSAGE_FILE CALLS")
	}
	calls, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	message, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	request := &auth.CheckRequest{}
	if err := proto.Unmarshal(message, request); err != nil {
		log.Fatal(err)
	}
	connection, err := grpc.NewClient("unix:"+os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	for outcome, number := range outcomes(auth.NewAuthorizationClient(connection), request, calls) {
		fmt.Println(number, outcome)
	}
}

func outcomes(client auth.AuthorizationClient, request *auth.CheckRequest, calls int) map[string]int {
	found, lock, group, slots := map[string]int{}, sync.Mutex{}, sync.WaitGroup{}, make(chan struct{}, atOnce)
	for range calls {
		slots <- struct{}{}
		group.Add(1)
		go func() {
			defer group.Done()
			outcome := ask(client, request)
			lock.Lock()
			found[outcome]++
			lock.Unlock()
			<-slots
		}()
	}
	group.Wait()
	return found
}

func ask(client auth.AuthorizationClient, request *auth.CheckRequest) string {
	answer, err := client.Check(context.Background(), request)
	switch {
	case err != nil:
		return status.Code(err).String()
	case answer.GetStatus().GetCode() != 0:
		return "deny"
	default:
		return "allow"
	}
}
