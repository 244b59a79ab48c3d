package crm;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;

/** proto3 JSON. What this version does not know is ignored: schemas grow. */
final class Json {
    private Json() {}

    static JsonObject print(Message message) {
        try {
            return JsonParser.parseString(JsonFormat.printer().print(message)).getAsJsonObject();
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Merges into the builder; IllegalArgumentException when it does not fit. */
    static <B extends Message.Builder> B parse(JsonElement json, B into) {
        try {
            JsonFormat.parser().ignoringUnknownFields().merge(json.toString(), into);
            return into;
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
    }
}
