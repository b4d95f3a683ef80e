"""What is known of each network: paper, repository, weights, training data, and the range inside."""

from metaloss.plugins import PublishedNetwork

NETWORKS = (
    PublishedNetwork(
        name="cddfuse",
        factory="metaloss_fusion.cddfuse:CDDFuse",
        description="CDDFuse, CVPR 2023: Restormer and invertible blocks, 1,188,272 parameters",
        paper="Zhao, Bai, Zhang, Zhang, Xu, Lin, Timofte, Van Gool: CDDFuse: Correlation-Driven Dual-Branch Feature "
        "Decomposition for Multi-Modality Image Fusion. CVPR 2023",
        repository="https://github.com/Zhaozixiang1228/MMIF-CDDFuse",
        weights="models/CDDFuse_IVF.pth, and CDDFuse_MIF.pth for medical images",
        data="MSRS, crops of 128x128, in two stages",
        range="sources and image in [0, 1]",
        parameters=1_188_272,
        rename="metaloss_fusion.cddfuse:from_published",
    ),
    PublishedNetwork(
        name="datfuse",
        factory="metaloss_fusion.datfuse:DATFuse",
        description="DATFuse, TCSVT 2023: dual attention and a transformer, 10,760 parameters",
        paper="Tang, He, Liu, Duan, Si: DATFuse: Infrared and Visible Image Fusion via Dual Attention Transformer. "
        "IEEE Transactions on Circuits and Systems for Video Technology 33(7), 2023",
        repository="https://github.com/tthinking/DATFuse",
        weights="model_10.pth",
        data="not named in the repository",
        range="sources in [0, 1], infrared first; a tanh gives the image as it is",
        parameters=10_760,
    ),
    PublishedNetwork(
        name="densefuse",
        factory="metaloss_fusion.densefuse:DenseFuse",
        description="DenseFuse, TIP 2019: dense auto-encoder, 74,193 parameters",
        paper="Li, Wu: DenseFuse: A Fusion Approach to Infrared and Visible Images. "
        "IEEE Transactions on Image Processing 28(5), 2019",
        repository="https://github.com/hli1221/densefuse-pytorch",
        weights="models/densefuse_gray.model",
        data="MS-COCO 2014, grey, 256x256",
        range="sources and image in [0, 255]; a last ReLU",
        parameters=74_193,
    ),
    PublishedNetwork(
        name="didfuse",
        factory="metaloss_fusion.didfuse:DIDFuse",
        description="DIDFuse, IJCAI 2020: background and detail, 260,935 parameters",
        paper="Zhao, Xu, Zhang, Liu, Zhang, Li: DIDFuse: Deep Image Decomposition for Infrared and Visible Image "
        "Fusion. IJCAI 2020",
        repository="https://github.com/Zhaozixiang1228/IVIF-DIDFuse",
        weights="Models/Encoder_weight_IJCAI.pkl and Models/Decoder_weight_IJCAI.pkl",
        data="FLIR, 180 pairs, 128x128",
        range="sources and image in [0, 1]",
        parameters=260_935,
    ),
    PublishedNetwork(
        name="ifcnn",
        factory="metaloss_fusion.ifcnn:IFCNN",
        description="IFCNN, Information Fusion 2020: merged features, 83,587 parameters",
        paper="Zhang, Liu, Sun, Yan, Zhao, Zhang: IFCNN: A General Image Fusion Framework Based on Convolutional "
        "Neural Network. Information Fusion 54, 2020",
        repository="https://github.com/uzeful/IFCNN",
        weights="Code/snapshots/IFCNN-MAX.pth, and IFCNN-SUM.pth, IFCNN-MEAN.pth with scheme='sum', scheme='mean'",
        data="multi-focus images made from NYU-D2",
        range="RGB in ImageNet's normalisation, sources and image; with normalised=False in [0, 1]",
        parameters=83_587,
    ),
    PublishedNetwork(
        name="seafusion",
        factory="metaloss_fusion.seafusion:SeAFusion",
        description="SeAFusion, Information Fusion 2022: gradient blocks, 166,883 parameters",
        paper="Tang, Yuan, Ma: Image fusion in the loop of high-level vision tasks: A semantic-aware real-time "
        "infrared and visible image fusion network. Information Fusion 82, 2022",
        repository="https://github.com/Linfeng-Tang/SeAFusion",
        weights="model/Fusion/fusionmodel_final.pth",
        data="MSRS",
        range="sources in [0, 1], visible first; a tanh, halved and raised by 0.5",
        parameters=166_883,
    ),
    PublishedNetwork(
        name="tardal",
        factory="metaloss_fusion.tardal:TarDAL",
        description="TarDAL, CVPR 2022: dense generator, 296,577 parameters",
        paper="Liu, Fan, Huang, Wu, Liu, Zhong, Luo: Target-aware Dual Adversarial Learning and a Multi-scenario "
        "Multi-Modality Benchmark to Fuse Infrared and Visible for Object Detection. CVPR 2022",
        repository="https://github.com/JinyuanLiu-CV/TarDAL",
        weights="tardal-dt.pth, tardal-tt.pth, tardal-ct.pth among the releases",
        data="M3FD",
        range="sources in [0, 1], infrared first; a tanh, halved and raised by 0.5; with halved=False the tanh is it",
        parameters=296_577,
    ),
    PublishedNetwork(
        name="u2fusion",
        factory="metaloss_fusion.u2fusion:U2Fusion",
        description="U2Fusion, TPAMI 2022: DenseNet, 659,217 parameters",
        paper="Xu, Ma, Jiang, Guo, Ling: U2Fusion: A Unified Unsupervised Image Fusion Network. "
        "IEEE Transactions on Pattern Analysis and Machine Intelligence 44(1), 2022",
        repository="https://github.com/hanna-xu/U2Fusion (TensorFlow)",
        weights="model/model.pth in https://github.com/ytZhang99/U2Fusion-pytorch",
        data="SICE, over- and underexposed images",
        range="sources in [0, 1], infrared first; a tanh gives the image; with symmetric=True both in [-1, 1]",
        parameters=659_217,
    ),
    PublishedNetwork(
        name="ydtr",
        factory="metaloss_fusion.ydtr:YDTR",
        description="YDTR, TMM 2023: dynamic filters and a transformer, 217,770 parameters",
        paper="Tang, He, Liu: YDTR: Infrared and Visible Image Fusion via Y-shape Dynamic Transformer. "
        "IEEE Transactions on Multimedia 25, 2023",
        repository="https://github.com/tthinking/YDTR",
        weights="models/model_10.pth",
        data="not named in the repository",
        range="sources in [0, 1], infrared first; a tanh gives the image as it is",
        parameters=217_770,
    ),
)
