package lab;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.concurrent.atomic.AtomicBoolean;
import org.sparkproject.connect.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import org.sparkproject.connect.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import org.sparkproject.connect.grpc.Metadata;
import org.sparkproject.connect.grpc.ServerCall;
import org.sparkproject.connect.grpc.ServerCallHandler;
import org.sparkproject.connect.grpc.ServerInterceptor;
import org.sparkproject.connect.grpc.Status;

/**
 * What EMR's authentication proxy is to a session's Spark Connect server: calls need a token that has not expired and
 * the session's id. Tells in a file whether calls are being served.
 *
 * -Dlab.session.id, -Dlab.session.folder: there "tokens" (lines: token, space, its end in seconds since 1970) is read at
 * every call, and "activity" (BUSY or IDLE) is written.
 */
public final class SessionGate implements ServerInterceptor {
  private static final Metadata.Key<String> TOKEN = key("x-aws-proxy-auth");
  private static final Metadata.Key<String> SESSION = key("authorization");
  private final String session = System.getProperty("lab.session.id");
  private final Path folder = Path.of(System.getProperty("lab.session.folder"));
  private int calls;

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    if (!session.equals(headers.get(SESSION)) || !valid(headers.get(TOKEN))) {
      String said = "The token is not valid for this session or has expired. Ask for another: GetSessionEndpoint.";
      call.close(Status.UNAUTHENTICATED.withDescription(said), new Metadata());
      return new ServerCall.Listener<Q>() {};
    }
    AtomicBoolean over = new AtomicBoolean();
    count(1);
    ServerCall<Q, R> counted =
        new SimpleForwardingServerCall<Q, R>(call) {
          @Override
          public void close(Status status, Metadata trailers) {
            if (over.compareAndSet(false, true)) count(-1);
            super.close(status, trailers);
          }
        };
    return new SimpleForwardingServerCallListener<Q>(next.startCall(counted, headers)) {
      @Override
      public void onCancel() {
        if (over.compareAndSet(false, true)) count(-1);
        super.onCancel();
      }
    };
  }

  private boolean valid(String token) {
    if (token == null || token.isEmpty()) return false;
    long now = System.currentTimeMillis() / 1000;
    try {
      for (String line : Files.readAllLines(folder.resolve("tokens"))) {
        String[] parts = line.split(" ");
        if (parts.length == 2 && parts[0].equals(token) && Long.parseLong(parts[1]) > now) return true;
      }
    } catch (IOException | NumberFormatException error) {
      return false;
    }
    return false;
  }

  private synchronized void count(int change) {
    int before = calls;
    calls += change;
    if ((before == 0) == (calls == 0)) return;
    try {
      Path fresh = folder.resolve("activity.new");
      Files.writeString(fresh, calls == 0 ? "IDLE" : "BUSY");
      Files.move(fresh, folder.resolve("activity"), StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException error) {
      System.err.println("The session's activity cannot be told: " + error);
    }
  }
}
