package org.jivesoftware.smackx.admin;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

import org.jivesoftware.smack.XMPPConnection;
import org.jxmpp.jid.EntityBareJid;

/**
 * Takes the place of Smack's class of this name, which speaks XEP-0133: accounts are made and removed by
 * {@code rookery user}.
 */
public final class ServiceAdministrationManager {

    private static final ServiceAdministrationManager INSTANCE = new ServiceAdministrationManager();

    private ServiceAdministrationManager() {
    }

    public static ServiceAdministrationManager getInstanceFor(XMPPConnection connection) {
        return INSTANCE;
    }

    public void addUser(EntityBareJid user, String password) throws InterruptedException {
        rookery(password + '\n', "add", user.toString());
    }

    public void deleteUser(EntityBareJid user) throws InterruptedException {
        rookery("", "delete", user.toString());
    }

    private static void rookery(String input, String operation, String user) throws InterruptedException {
        String program = System.getProperty("rookery.program");
        String config = System.getProperty("rookery.config");
        try {
            Process process = new ProcessBuilder(program, "user", operation, user, "--config", config)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
            process.getOutputStream().write(input.getBytes(StandardCharsets.UTF_8));
            process.getOutputStream().close();
            if (process.waitFor() != 0) {
                throw new IllegalStateException("rookery user " + operation + ' ' + user + " failed");
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
