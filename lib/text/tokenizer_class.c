/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenizer_class.c - which tokenizer transformers 5.16 makes of a folder.  The class of
 * tokenizer_config.json decides, but not for the model types whose folders are known to name a
 * wrong one; those run tokenizer.json as written, and so do classes that transformers does not
 * know.
 */
#include "tokenizer_priv.h"

#include <string.h>

/* Model types for which the class of the folder does not count.  Words stand between spaces, the
 * first and last too, so that a search for " word " finds whole ones. */
static const char *const file_types =
    " arctic aria bigbird_pegasus camembertv2-base chameleon chatlm cohere_asr deepseek_ocr "
    "deepseek_ocr2 deepseek_v2 deepseek_v3 deepseek_v32 deepseek_v4 deepseek_vl "
    "deepseek_vl_hybrid deepseek_vl_v2 ernie4_5 ernie4_5_moe flex_olmo fuyu glm glm4 glm4_moe "
    "glm4_moe_lite glm4v glm4v_moe glm_image glmasr got_ocr2 gpt_bigcode granite granitemoe "
    "granitemoehybrid granitemoeshared h2ovl_chat hyperclovax hyperclovax_vlm internlm2 jamba "
    "janus kimi_k25 kosmos-2 llava llava_next mimo_v2_flash minicpm3 minicpmv minicpmv4_6 "
    "minimax_m2 ministral ministral3 mistral mistral3 mixtral modernbert molmo molmo2 nemotron "
    "nvfp4 nystromformer olmo2 olmo3 olmo_hybrid opencua openvla paddleocr_vl pegasus_x "
    "persimmon phi3 phi3_v phimoe pix2struct pixtral smolvlm stablelm step3_vl step3p5 umt5 "
    "vipllava vision-encoder-decoder voxtral voxtral_realtime xlm-roberta-xl ";

/* Classes with a constructor of their own, and the model types they are registered for. */
static const struct {
    const char *name, *types;
} classes[] = {
    { "AlbertTokenizer", " albert yoso " },
    { "BartTokenizer", " florence2 " },
    { "BarthezTokenizer", " barthez " },
    { "BartphoTokenizer", " bartpho " },
    { "BertGenerationTokenizer", " bert-generation " },
    { "BertJapaneseTokenizer", " bert-japanese " },
    { "BertTokenizer",
      " align bark bert blip bros chinese_clip convbert distilbert electra "
      "ernie flava git grounding-dino layoutlm megatron-bert mm-grounding-dino nezha "
      "nomic_bert qdqbert realm retribert squeezebert tvp vilt visual_bert " },
    { "BertweetTokenizer", " bertweet " },
    { "BigBirdTokenizer", " big_bird " },
    { "BioGptTokenizer", " biogpt " },
    { "BlenderbotSmallTokenizer", " blenderbot-small " },
    { "BlenderbotTokenizer", " blenderbot " },
    { "ByT5Tokenizer", " byt5 " },
    { "CLIPTokenizer", " aimv2 clip clipseg groupvit omdet-turbo oneformer owlv2 owlvit sam3 "
                       "sam3_video xclip " },
    { "CTRLTokenizer", " ctrl " },
    { "CamembertTokenizer", " camembert " },
    { "CanineTokenizer", " canine " },
    { "ClvpTokenizer", " clvp " },
    { "CodeLlamaTokenizer", " code_llama " },
    { "CohereTokenizer", " aya_vision cohere cohere2 " },
    { "CpmAntTokenizer", " cpmant " },
    { "CpmTokenizer", " cpm " },
    { "DPRQuestionEncoderTokenizer", " dpr " },
    { "DebertaTokenizer", " deberta " },
    { "DebertaV2Tokenizer", " deberta-v2 " },
    { "DiaTokenizer", " dia " },
    { "EsmTokenizer", " esm " },
    { "EsmcTokenizer", " esmc esmfold2 " },
    { "FNetTokenizer", " fnet " },
    { "FSMTTokenizer", " fsmt " },
    { "FlaubertTokenizer", " flaubert " },
    { "FunnelTokenizer", " funnel " },
    { "GPT2Tokenizer", " blip-2 codegen dbrx emu3 gpt2 gpt_neo gptj instructblip "
                       "instructblipvideo jais2 opt phi starcoder2 " },
    { "GPTNeoXJapaneseTokenizer", " gpt_neox_japanese " },
    { "GPTNeoXTokenizer", " falcon_mamba gpt_neox mamba mamba2 mpt olmo olmoe rwkv xlstm " },
    { "GPTSw3Tokenizer", " gpt-sw3 " },
    { "GemmaTokenizer", " diffusion_gemma gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text "
                        "recurrent_gemma shieldgemma2 t5gemma zaya " },
    { "HerbertTokenizer", " herbert " },
    { "LEDTokenizer", " led " },
    { "LasrTokenizer", " lasr_ctc lasr_encoder " },
    { "LayoutLMv2Tokenizer", " layoutlmv2 " },
    { "LayoutLMv3Tokenizer", " layoutlmv3 " },
    { "LayoutXLMTokenizer", " layoutxlm " },
    { "LlamaTokenizer", " idefics idefics2 " },
    { "LukeTokenizer", " luke " },
    { "LxmertTokenizer", " lxmert " },
    { "M2M100Tokenizer", " m2m_100 " },
    { "MBart50Tokenizer", " mbart50 " },
    { "MBartTokenizer", " mbart " },
    { "MLukeTokenizer", " mluke " },
    { "MPNetTokenizer", " mpnet " },
    { "MarianTokenizer", " marian " },
    { "MarkupLMTokenizer", " markuplm " },
    { "MgpstrTokenizer", " mgp-str " },
    { "MobileBertTokenizer", " mobilebert " },
    { "MvpTokenizer", " mvp " },
    { "MyT5Tokenizer", " myt5 " },
    { "NllbTokenizer", " nllb nllb-moe " },
    { "NougatTokenizer", " nougat pp_formulanet " },
    { "OpenAIGPTTokenizer", " openai-gpt " },
    { "PLBartTokenizer", " plbart " },
    { "ParakeetTokenizer", " granite_speech5_ctc nemotron3_5_asr nemotron_asr_streaming "
                           "parakeet_ctc parakeet_rnnt parakeet_tdt " },
    { "PegasusTokenizer", " pegasus " },
    { "PerceiverTokenizer", " perceiver " },
    { "PhobertTokenizer", " phobert " },
    { "ProphetNetTokenizer", " prophetnet " },
    { "Qwen2Tokenizer",
      " audioflamingo3 colqwen2 cosmos3_omni hunyuan_vl internvl ovis2 "
      "qianfan_ocr qwen2 qwen2_5_omni qwen2_5_vl qwen2_audio qwen2_moe qwen2_vl qwen3 "
      "qwen3_asr qwen3_moe qwen3_next qwen3_omni_moe qwen3_vl qwen3_vl_moe lighton_ocr " },
    { "Qwen3_5Tokenizer", " qwen3_5 qwen3_5_moe qwen4_exp " },
    { "RagTokenizer", " rag " },
    { "ReformerTokenizer", " reformer " },
    { "RemBertTokenizer", " rembert " },
    { "RoCBertTokenizer", " roc_bert " },
    { "RoFormerTokenizer", " roformer " },
    { "RobertaTokenizer", " bart bridgetower clap data2vec-text ibert lilt longformer mega mra "
                          "roberta roberta-prelayernorm " },
    { "SeamlessM4TTokenizer", " seamless_m4t seamless_m4t_v2 " },
    { "Siglip2Tokenizer", " siglip2 " },
    { "SiglipTokenizer", " siglip " },
    { "Speech2TextTokenizer", " speech_to_text " },
    { "SpeechT5Tokenizer", " speecht5 " },
    { "SplinterTokenizer", " splinter " },
    { "T5Tokenizer", " mt5 musicgen musicgen_melody switch_transformers t5 " },
    { "TapasTokenizer", " tapas " },
    { "Tipsv2Tokenizer", " tipsv2 " },
    { "UdopTokenizer", " udop " },
    { "VideoPrismTokenizer", " videoprism " },
    { "VitsTokenizer", " vits " },
    { "Wav2Vec2CTCTokenizer", " data2vec-audio hubert unispeech unispeech-sat wav2vec2 "
                              "wav2vec2-bert wav2vec2-conformer " },
    { "Wav2Vec2PhonemeCTCTokenizer", " wav2vec2_phoneme " },
    { "WhisperTokenizer", " whisper " },
    { "XGLMTokenizer", " xglm " },
    { "XLMRobertaTokenizer", " jina_embeddings_v3 metaclip_2 trocr xlm-roberta xmod " },
    { "XLMTokenizer", " xlm " },
    { "XLNetTokenizer", " xlnet " },
};

static bool in_list(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = list; n > 0 && (p = strstr(p, word)); p += n)
        if (p > list && p[-1] == ' ' && p[n] == ' ')
            return true;
    return false;
}

/* The name without its "Fast", which never matters. */
static size_t base_length(const char *name)
{
    size_t n = strlen(name);

    return axl__ends_with(name, "Fast") ? n - 4 : n;
}

static bool is_class(const char *name, const char *wanted)
{
    size_t n = base_length(name);

    return strlen(wanted) == n && memcmp(name, wanted, n) == 0;
}

/* Classes that add nothing to tokenizer.json. */
static bool runs_the_file(const char *name)
{
    static const char *const names[] = { "PreTrainedTokenizer", "TokenizersBackend",
                                         "BloomTokenizer" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (is_class(name, names[i]))
            return true;
    return false;
}

static axl_status refuse(const char *name)
{
    return axl__fail(AXL_ERR_UNSUPPORTED, "tokenizer class \"%.64s\" is not supported yet", name);
}

/* known: an unknown name is an error. */
static axl_status by_name(const char *name, bool known, axl__tokenizer_kind *out)
{
    for (int i = 0; i < AXL__N_CLASSES; i++)
        if (axl__class_specs[i].name && is_class(name, axl__class_specs[i].name)) {
            *out = (axl__tokenizer_kind)i;
            return AXL_OK;
        }
    if (runs_the_file(name))
        return AXL_OK;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (is_class(name, classes[i].name))
            return refuse(name);
    return known ? refuse(name) : AXL_OK;
}

static axl_status by_model_type(const char *type, axl__tokenizer_kind *out)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (in_list(classes[i].types, type))
            return by_name(classes[i].name, true, out);
    return AXL_OK;
}

/* The caller's type, else the folder's class unless the model type is known to name a wrong one,
 * else the class that the model type is registered for. */
axl_status axl__tokenizer_class(const char *type, const axl__json *tokenizer_config,
                                const axl__json *model_config, axl__tokenizer_kind *out)
{
    const char *hub = axl__json_string(tokenizer_config, "tokenizer_class", NULL);
    const char *model_type = axl__json_string(model_config, "model_type", "");

    *out = AXL__CLASS_FILE;
    if (type && !is_class(type, "AutoTokenizer"))
        return by_name(type, true, out);
    if (!hub)
        hub = axl__json_string(model_config, "tokenizer_class", NULL);
    if (hub && in_list(file_types, model_type))
        return AXL_OK;
    if (hub && strcmp(model_type, "qwen2") == 0)
        return by_name("Qwen2Tokenizer", true, out);
    return hub ? by_name(hub, false, out) : by_model_type(model_type, out);
}
